// SPDX-License-Identifier: Apache-2.0
//
// ChooseProactor: from what the user wants to the proactor that this system allows.
//
//   absl::StatusOr<ChosenProactor> chosen = ChooseProactor(BackendChoice::kAuto);
//   if (!chosen->reason.empty()) Log(LogSeverity::kWarning, chosen->reason);
//
// The automatic choice is io_uring, and epoll when an io_uring cannot be set up, whatever is in the way, with a reason
// that names the remedy. What was chosen by name is used or fails: io_uring with the same reason; epoll without any
// system call of io_uring, because a sandbox may end the process for one. Features that are disabled are treated as if
// the kernel lacked them.
//
// Threads: all functions may be called from any thread.
#ifndef PROACTOR_BACKEND_CHOOSE_H_
#define PROACTOR_BACKEND_CHOOSE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "proactor/backend_choice.h"
#include "proactor/feature.h"
#include "proactor/proactor.h"

namespace proactor {

struct ChosenProactor {
  std::unique_ptr<Proactor> proactor;
  std::string reason;  // Why it is not the first choice; empty if it is.
};

// Result: `kUnavailable` when io_uring was chosen by name and there is none. `kResourceExhausted` when descriptors have
//   run out, which another backend would only hide for a moment.
// `restricted`: an io_uring refuses what this library does not use.
absl::StatusOr<ChosenProactor> ChooseProactor(BackendChoice choice, FeatureSet disabled = {}, bool restricted = false);

}  // namespace proactor

#endif  // PROACTOR_BACKEND_CHOOSE_H_
