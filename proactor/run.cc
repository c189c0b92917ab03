// SPDX-License-Identifier: Apache-2.0
#include "proactor/run.h"

#include "absl/strings/str_cat.h"
#include "proactor/backend/io_uring_proactor.h"

namespace proactor {

absl::StatusOr<std::unique_ptr<Proactor>> MakeProactor() {
  absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create();
  if (!proactor.ok()) return absl::UnavailableError(absl::StrCat("no io_uring: ", proactor.status().message()));
  return *std::move(proactor);
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  Log(LogSeverity::kError, std::string(status.ToString()));
  return 1;
}

}  // namespace proactor
