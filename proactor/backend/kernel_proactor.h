// SPDX-License-Identifier: Apache-2.0
//
// KernelProactor: what the proactors over a kernel have in common: the machine's clocks, and the descriptor by which
// another thread ends a wait (eventfd(2)).
//
//   class EpollProactor final : public KernelProactor {
//     explicit EpollProactor(Machine& machine, int wake_fd) : KernelProactor(machine, wake_fd) {}
//     void Wait(MonotonicTime until) override;  // Returns also when wake_fd(), from `OpenWakeDescriptor`, is readable.
//   };
//
// Threads: `Wake` and the clocks from any, as long as it lives; the rest from the scheduler's.
#ifndef PROACTOR_BACKEND_KERNEL_PROACTOR_H_
#define PROACTOR_BACKEND_KERNEL_PROACTOR_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/backend/machine.h"
#include "proactor/monotonic_time.h"
#include "proactor/proactor.h"

namespace proactor {

class KernelProactor : public Proactor {
 public:
  ~KernelProactor() override;

  void Wake() final { machine_.AddEvent(wake_fd_); }
  MonotonicTime Now() const final { return machine_.Now(); }
  absl::Time WallTime() const final { return machine_.WallTime(); }
  uint32_t seed() const final { return machine_.seed(); }

 protected:
  // Takes a descriptor that `OpenWakeDescriptor` made. The machine outlives the proactor.
  KernelProactor(Machine& machine, int wake_fd) : machine_(machine), wake_fd_(wake_fd) {}
  static absl::StatusOr<int> OpenWakeDescriptor(Machine& machine);

  Machine& machine() const { return machine_; }

  // Readable from a `Wake` to the next `TakeWakes`; each `Wake` is an edge.
  int wake_fd() const { return wake_fd_; }
  void TakeWakes() { machine_.TakeEvents(wake_fd_); }

 private:
  Machine& machine_;
  const int wake_fd_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_KERNEL_PROACTOR_H_
