// SPDX-License-Identifier: Apache-2.0
//
// IoUringProactor: operations through an io_uring (io_uring(7)), Linux 5.12 and later.
//
//   absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create();
//   Scheduler scheduler(*std::move(proactor));
//
// Each turn of the loop makes one system call at most: it submits what coroutines have asked for since the last one,
// waits, and brings back what has completed. What the kernel may do at any time is normal and never reaches the user: a
// full submission queue (flushed once, then operations stand in line), an overflowing completion queue, interrupted and
// short calls, EAGAIN on non-blocking descriptors (polled, then asked again), opcodes that it does not have or is not
// to use (performed here as soon as a poll by the ring says that it can be done; by the BlockingPool what cannot be
// polled, and what no kernel can do, such as calling a function).
//
// What an operation says in `Prepare` that it waits for, a multishot request (multishot.h), is armed once and stays so
// from one operation to the next; it is here that it is armed again and cancelled, and here that its descriptor is
// closed if its owner goes before it has ended.
#ifndef PROACTOR_BACKEND_IO_URING_PROACTOR_H_
#define PROACTOR_BACKEND_IO_URING_PROACTOR_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proactor/backend/cancel_line.h"
#include "proactor/backend/kernel_proactor.h"
#include "proactor/backend/machine.h"
#include "proactor/backend/offload.h"
#include "proactor/backend/registered_files.h"
#include "proactor/backend/ring.h"
#include "proactor/backend/ring_buffers.h"
#include "proactor/buffer_group.h"
#include "proactor/descriptor.h"
#include "proactor/feature.h"
#include "proactor/intrusive_list.h"
#include "proactor/multishot.h"
#include "proactor/ready_queue.h"

namespace proactor {

class IoUringProactor final : public KernelProactor, private DescriptorWatcher {
 public:
  // Fails where the kernel has no usable io_uring, or forbids it: the status says which call failed and why.
  static absl::StatusOr<std::unique_ptr<IoUringProactor>> Create(RingOptions options = {},
                                                                 RingKernel& kernel = RingKernel::Real());
  ~IoUringProactor() override;

  void Submit(OperationBase& operation) override;
  void Cancel(OperationBase& operation) override;
  void Adjust(Multishot& multishot) override;
  void BecameBusy(Multishot& multishot) override {
    if (multishot.descriptor().watcher == this && registered_files_.Add(multishot)) counters().registered_files.Add();
  }
  const DescriptorWatcher* watcher() const override { return this; }
  size_t Drain() override;
  std::unique_ptr<BufferGroup> MakeBufferGroup(uint16_t capacity) override;
  void Wait(MonotonicTime until) override;
  std::string_view name() const override { return "io_uring"; }
  System& system() override { return system_; }

  Capabilities capabilities() const override;

  const Ring& ring() const { return *ring_; }

 private:
  IoUringProactor(std::unique_ptr<Ring> ring, Machine& machine, int wake_fd);

  void EnsureEnabled();
  // A free entry, after a flush if need be; null when the kernel takes no more.
  io_uring_sqe* Entry() {
    io_uring_sqe* entry = ring_->NextEntry();
    return entry != nullptr ? entry : EntryAfterFlush();
  }
  io_uring_sqe* EntryAfterFlush();
  void Enter(unsigned wait_for, MonotonicTime until);
  void EnterWithoutWaiting();

  // Makes a prepared entry one of those to submit.
  void Push(OperationBase& operation, io_uring_sqe& entry);
  void PushCancel(uint64_t user_data, io_uring_sqe& entry);
  void SubmitCancels();
  void StandInLine(OperationBase& operation);
  // Performs an operation that the kernel does not know: its result, or `kPostponed` for one that has to wait.
  int PerformHere(OperationBase& operation);
  void PerformPolled(OperationBase& operation, SuspensionQueue& completed);
  void PushPoll(OperationBase& operation, io_uring_sqe& entry);
  void SubmitToPool(OperationBase& operation);
  // Submits an operation that stood in line.
  void SubmitFromLine(OperationBase& operation, io_uring_sqe& entry);
  // Submits what stands in line, the oldest first, as far as there is room.
  void AdvanceLine();
  void ArmWake();

  // Whether `operation` waits for a multishot request from now on.
  bool WaitsFor(OperationBase& operation, io_uring_sqe& entry);
  // Asks the kernel for what `Adjust` has found; false when it takes no more.
  bool TryArm(Multishot& multishot);
  bool TryDisarm(Multishot& multishot);
  void Disarm(Multishot& multishot);  // Waits for a completion.
  void Claim(Multishot& multishot);
  // Whether the operation that waits for it, if any, has its turn now.
  bool GoesOn(Multishot& multishot, SuspensionQueue& completed);
  void MultishotCompleted(Multishot& multishot, const io_uring_cqe& completion, SuspensionQueue& completed);
  void Forget(Descriptor& descriptor) override;
  bool TakeOver(Descriptor& descriptor) override;
  // Takes and hands on what has completed.
  void Reap();

  void WakeCompleted(const io_uring_cqe& completion);
  void OperationCompleted(OperationBase& operation, int result, SuspensionQueue& completed);
  bool Settles(OperationBase& operation, int& result);

  std::unique_ptr<Ring> ring_;
  System& system_;
  uint16_t generation_ = 0;
  bool wake_armed_ = false;
  bool completed_directly_ = false;  // During this `Wait`, without the kernel.
  SuspensionQueue line_;             // Operations that wait for room, or for their next part.
  SuspensionQueue polled_;           // Those that are performed here, and can be, during a `Wait`.
  RingBuffersList buffer_groups_;
  RegisteredFiles registered_files_;
  IntrusiveList<Multishot> claimed_;   // Armed, or were once.
  IntrusiveList<Multishot> closing_;   // Those that were taken over instead.
  std::vector<Multishot*> to_adjust_;  // Those that wait for room.
  FeatureSet proven_;                  // Those of multishot requests that have had a result.
  bool draining_ = false;              // Nothing is to be armed any more.
  Offload offload_;
  CancelLine cancels_;
  unsigned unsubmitted_cancels_ = 0;  // Those that the next enter hands to the kernel.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_IO_URING_PROACTOR_H_
