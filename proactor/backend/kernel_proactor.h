// SPDX-License-Identifier: Apache-2.0
//
// KernelProactor: what the proactors over a kernel have in common: its clocks, and the descriptor by which another
// thread ends a wait (eventfd(2)).
//
//   class EpollProactor final : public KernelProactor {
//     explicit EpollProactor(int wake_fd) : KernelProactor(wake_fd) {}   // From `OpenWakeDescriptor`.
//     void Wait(MonotonicTime until) override;                            // Returns also when wake_fd() is readable.
//   };
//
// Threads: `Wake` and the clocks from any, as long as it lives; the rest from the scheduler's.
#ifndef PROACTOR_BACKEND_KERNEL_PROACTOR_H_
#define PROACTOR_BACKEND_KERNEL_PROACTOR_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/monotonic_time.h"
#include "proactor/proactor.h"

namespace proactor {

// CLOCK_MONOTONIC (clock_gettime(2)).
MonotonicTime KernelTime();

class KernelProactor : public Proactor {
 public:
  ~KernelProactor() override;

  void Wake() final;
  MonotonicTime Now() const final { return KernelTime(); }
  absl::Time WallTime() const final;

 protected:
  // Takes a descriptor that `OpenWakeDescriptor` made.
  explicit KernelProactor(int wake_fd) : wake_fd_(wake_fd) {}
  static absl::StatusOr<int> OpenWakeDescriptor();

  // Readable from a `Wake` to the next `TakeWakes`; each `Wake` is an edge.
  int wake_fd() const { return wake_fd_; }
  void TakeWakes();

 private:
  const int wake_fd_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_KERNEL_PROACTOR_H_
