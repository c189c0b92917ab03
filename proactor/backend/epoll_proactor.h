// SPDX-License-Identifier: Apache-2.0
//
// EpollProactor: operations through readiness (epoll(7)), for kernels and containers without io_uring.
//
//   absl::StatusOr<std::unique_ptr<EpollProactor>> proactor = EpollProactor::Create();
//   Scheduler scheduler(*std::move(proactor));
//
// An operation is tried when it is submitted, if its descriptor may be ready, and otherwise parked in the descriptor's
// slot until the kernel reports a change: a transfer costs one system call, and a wait one that finds nothing.
//
//  - A descriptor is registered once, when the first operation on it has to wait, for both directions and edges only.
//    Whether a direction is worth a try is noted in the Descriptor: by a report, by a call that found nothing, and by a
//    short transfer on a stream. An edge that comes before an operation parks is in that note.
//  - A call that takes as much as it has room for leaves open whether there is more. Whoever has answered since expects
//    nothing before the peer has the answer, so the next read is tried once all that is ready by then has run: among
//    busy connections it mostly finds the next message, instead of nothing.
//  - Parked operations are performed while reports are taken, so that what a report announced is not lost to a
//    cancellation that comes later in the same turn. Coroutines are resumed by the ready queue, never from here.
//  - What may block (regular files, opening) goes to the BlockingPool, unless it can be done at once (RWF_NOWAIT).
//    So does a read or write of a terminal, a device or an old kernel's pipe, once it is ready: their flags belong to
//    whoever they were inherited from, and another process may have been faster.
//
// A descriptor may go to another thread, to be used or closed there, while a report on it is on its way here. So who
// takes it from here does so with a lock, which is held while reports are taken:
//  1. A report names a number. What is watched by that number, and that it still is, says `watched_`.
//  2. Of a descriptor that is watched, only what is `Ready` is touched here, and its slots only where that is
//     `kAwaited`: then an operation of this thread is in flight, and the descriptor cannot go.
//  3. Another thread touches what is `Ready` only after it has had the descriptor forgotten here.
#ifndef PROACTOR_BACKEND_EPOLL_PROACTOR_H_
#define PROACTOR_BACKEND_EPOLL_PROACTOR_H_

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proactor/backend/epoll_kernel.h"
#include "proactor/backend/kernel_proactor.h"
#include "proactor/backend/offload.h"
#include "proactor/descriptor.h"

namespace proactor {

class EpollProactor final : public KernelProactor, private DescriptorWatcher {
 public:
  static absl::StatusOr<std::unique_ptr<EpollProactor>> Create(EpollKernel& kernel = EpollKernel::Real());
  ~EpollProactor() override;

  void Submit(OperationBase& operation) override;
  void Cancel(OperationBase& operation) override;
  void Wait(MonotonicTime until) override;
  const DescriptorWatcher* watcher() const override { return this; }
  std::string_view name() const override { return "epoll"; }
  System& system() override { return system_; }

 private:
  EpollProactor(EpollKernel& kernel, int wake_fd)
      : KernelProactor(kernel.machine(), wake_fd),
        kernel_(kernel),
        system_(kernel.machine().non_blocking_system()),
        epoll_fd_(kernel.Create()),
        offload_(kernel.machine().blocking_jobs(), kernel.machine().system()) {}

  void Park(OperationBase& operation);
  void Unpark(OperationBase& operation);
  // Has it submitted again, and tried then, behind all that is ready.
  void Defer(OperationBase& operation);
  // After a try that found nothing: where the operation goes on. A failure is its result.
  int Postpone(OperationBase& operation, int result);
  // Has the kernel report on the descriptor of an operation. -EPERM: it has nothing to report, as for regular files.
  int Watch(OperationBase& operation);
  void Forget(Descriptor& descriptor) override;  // Any thread.
  bool LetGo(Descriptor& descriptor) override {
    Forget(descriptor);
    return true;
  }

  int WaitForEvents(epoll_event* events, int size, MonotonicTime until);
  // The descriptor that a report is about. Null for a wake, which has done its work by ending the wait, and for one
  // that has gone since.
  Descriptor* Watched(const epoll_event& event) const {
    return event.data.u64 < watched_.size() ? watched_[event.data.u64] : nullptr;
  }
  void Report(Descriptor& descriptor, uint32_t events);
  // Of one direction.
  void Report(ReadyState& ready, OperationBase* const& slot, bool now, bool for_good);
  void Retry(OperationBase& operation, ReadyState& ready);

  EpollKernel& kernel_;
  System& system_;
  const int epoll_fd_;
  bool has_nanoseconds_ = true;  // epoll_pwait2(2), Linux 5.11.
  int parked_ = 0;
  std::mutex mutex_;                  // For what other threads may forget.
  std::vector<Descriptor*> watched_;  // By number; null where there is none. With the lock.
  Offload offload_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_EPOLL_PROACTOR_H_
