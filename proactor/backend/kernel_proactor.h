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
#include "proactor/descriptor.h"
#include "proactor/monotonic_time.h"
#include "proactor/operation/operation_base.h"
#include "proactor/proactor.h"
#include "proactor/thread_mark.h"

namespace proactor {

class KernelProactor : public Proactor {
 public:
  ~KernelProactor() override;

  void Wake() final { machine_.AddEvent(wake_fd_); }
  MonotonicTime Now() const final { return machine_.Now(); }
  MonotonicTime RoughlyNow() const final { return machine_.RoughlyNow(); }
  absl::Time WallTime() const final { return machine_.WallTime(); }
  uint32_t seed() const final { return machine_.seed(); }
  bool has_kernel() const final { return machine_.real(); }

 protected:
  // Takes a descriptor that `OpenWakeDescriptor` made. The machine outlives the proactor.
  KernelProactor(Machine& machine, int wake_fd) : machine_(machine), wake_fd_(wake_fd) {}
  static absl::StatusOr<int> OpenWakeDescriptor(Machine& machine);

  Machine& machine() const { return machine_; }

  // The first that happens when a proactor ends: the kernel may still write to what is in flight.
  void CheckNothingInFlight();

  // What is known of the direction that an operation waits for; null for one that is not about readiness.
  static ReadyState* ReadyOf(const OperationBase& operation) {
    Descriptor* descriptor = operation.descriptor();
    if (descriptor == nullptr || operation.readiness() == Readiness::kBlocking) return nullptr;
    return operation.readiness() == Readiness::kRead ? &descriptor->readable : &descriptor->writable;
  }

  // Whether this is a copy, in a child after fork(2), and the kernel's part of it is the parent's.
  bool InChild() const { return !made_.IsThisProcess(); }

  // Readable from a `Wake` to the next `TakeWakes`; each `Wake` is an edge.
  int wake_fd() const { return wake_fd_; }
  void TakeWakes() { machine_.TakeEvents(wake_fd_); }

 private:
  const ThreadMark made_;
  Machine& machine_;
  const int wake_fd_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_KERNEL_PROACTOR_H_
