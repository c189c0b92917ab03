// SPDX-License-Identifier: Apache-2.0
//
// Run: the front door: a scheduler on this thread, one task, and its result.
//
//   int main() { return ExitCode(Run(Serve(SocketAddress::Loopback(7000)))); }
//   absl::Status status = Run(Serve(address), {.backend = BackendChoice::kEpoll});
//
// Operations go through io_uring, and where that is refused through epoll, as far as nothing else is asked for
// (`proactor/backend_choice.h`, `proactor/feature.h`). The first time in a process that it is epoll for that reason,
// the reason is logged.
//
// Result: the task's. If no proactor can be set up, a task that carries a status yields the failure instead
//   (`kUnavailable` where the wanted one is refused, `kInvalidArgument` for a wrong PROACTOR_BACKEND or
//   PROACTOR_DISABLE), and one that does not ends the process with what it says.
// Threads: any thread that does not run a scheduler; the call returns when the task has ended.
#ifndef PROACTOR_RUN_H_
#define PROACTOR_RUN_H_

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/backend_choice.h"
#include "proactor/feature.h"
#include "proactor/log.h"
#include "proactor/proactor.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"

namespace proactor {

struct RunOptions {
  // Nothing: what the environment variable PROACTOR_BACKEND says, else the best that this system allows.
  std::optional<BackendChoice> backend = std::nullopt;
  // Features of io_uring to do without. Nothing: what the environment variable PROACTOR_DISABLE says.
  std::optional<FeatureSet> disabled = std::nullopt;
  // The kernel refuses what the ring might be asked for besides the operations of this library. Operations of your own
  // with other opcodes of io_uring are performed without it.
  bool restricted = false;
};
static_assert(std::is_trivially_destructible_v<RunOptions>);

// The proactor that `Run` uses, for a scheduler of your own.
absl::StatusOr<std::unique_ptr<Proactor>> MakeProactor(RunOptions options = {});

template <class T>
T Run(Task<T> task, RunOptions options = {}) {
  absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor(options);
  if (!proactor.ok()) {
    // Nobody forgot to run it: the failure says why it is not.
    internal::DestroyFrames(std::move(task).Release());
    if constexpr (CarriesStatus<T>) {
      return proactor.status();
    } else {
      CheckFailed(std::string(proactor.status().message()));
    }
  }
  return Scheduler(*std::move(proactor)).Run(std::move(task));
}

// What `main` returns: 0, or 1 after the failure has been written to the log.
int ExitCode(const absl::Status& status);

}  // namespace proactor

#endif  // PROACTOR_RUN_H_
