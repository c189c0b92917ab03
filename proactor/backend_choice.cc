// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend_choice.h"

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace proactor {

absl::StatusOr<BackendChoice> ParseBackendChoice(std::string_view word) {
  for (BackendChoice choice : {BackendChoice::kAuto, BackendChoice::kIoUring, BackendChoice::kEpoll}) {
    if (word == BackendChoiceWord(choice)) return choice;
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no backend '", absl::string_view(word.data(), word.size()),
                                                 "'; say auto, io_uring or epoll"));
}

std::string_view BackendChoiceWord(BackendChoice choice) {
  switch (choice) {
    case BackendChoice::kAuto:
      return "auto";
    case BackendChoice::kIoUring:
      return "io_uring";
    case BackendChoice::kEpoll:
      return "epoll";
  }
  return "";
}

absl::StatusOr<BackendChoice> BackendChoiceOfEnvironment() {
  const char* word = secure_getenv("PROACTOR_BACKEND");
  if (word == nullptr || *word == '\0') return BackendChoice::kAuto;
  absl::StatusOr<BackendChoice> choice = ParseBackendChoice(word);
  if (choice.ok()) return choice;
  return absl::InvalidArgumentError(absl::StrCat("environment variable PROACTOR_BACKEND: ", choice.status().message()));
}

}  // namespace proactor
