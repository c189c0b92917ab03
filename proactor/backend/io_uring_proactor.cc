// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/io_uring_proactor.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "proactor/descriptor.h"
#include "proactor/errors.h"
#include "proactor/log.h"

namespace proactor {
namespace {

// What an entry was, in the low bits of its user_data.
enum Kind : uint64_t { kOperation = 0, kCancelRequest = 1, kWake = 2, kKindMask = 7 };
constexpr int kGenerationShift = 48;

// What an operation is doing here, in its `backend_state`.
enum State : uint8_t {
  kInLine = 1,         // In `line_`.
  kPolling = 2,        // Its entry is a poll, because the real one found nothing.
  kOnWorker = 4,       // Not attempted inline: that has failed with EAGAIN although there is nothing to poll.
  kCancelInLine = 8,   // Its user_data is in `cancels_`.
  kOffloaded = 16,     // With the pool: the kernel does not know it.
};

uint64_t UserData(const OperationBase& operation) {
  return reinterpret_cast<uintptr_t>(&operation) | uint64_t{operation.generation} << kGenerationShift;
}

OperationBase* OperationOf(uint64_t user_data) {
  return reinterpret_cast<OperationBase*>(user_data << 16 >> 16 & ~kKindMask);
}

}  // namespace

absl::StatusOr<std::unique_ptr<IoUringProactor>> IoUringProactor::Create(RingOptions options, RingKernel& kernel) {
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(options, kernel);
  if (!ring.ok()) return ring.status();
  absl::StatusOr<int> wake_fd = OpenWakeDescriptor(kernel.machine());
  if (!wake_fd.ok()) return wake_fd.status();
  return std::unique_ptr<IoUringProactor>(new IoUringProactor(*std::move(ring), kernel.machine(), *wake_fd));
}

IoUringProactor::~IoUringProactor() {
  offload_.Drain();
}

void IoUringProactor::EnsureEnabled() {
  if (ring_->enabled()) return;
  absl::Status status = ring_->Enable();
  Check(status.ok(), [&] { return absl::StrCat("The io_uring could not be enabled: ", status.ToString()); });
}

io_uring_sqe* IoUringProactor::EntryAfterFlush() {
  EnsureEnabled();
  counters().flushes.Add();
  Enter(0, MonotonicTime::Past());
  return ring_->NextEntry();
}

void IoUringProactor::Submit(OperationBase& operation) {
  operation.backend_state = 0;
  // Those that came first go first.
  io_uring_sqe* entry = line_.empty() ? Entry() : nullptr;
  if (entry == nullptr) [[unlikely]] {
    counters().full_queues.Add();
    return StandInLine(operation);
  }
  operation.Prepare(*entry);
  if (!ring_->Supports(entry->opcode)) [[unlikely]] {
    return SubmitToPool(operation);
  }
  Push(operation, *entry);
}

void IoUringProactor::Push(OperationBase& operation, io_uring_sqe& entry) {
  operation.generation = ++generation_;
  entry.user_data = UserData(operation);
  ring_->Push();
}

void IoUringProactor::StandInLine(OperationBase& operation) {
  operation.backend_state |= kInLine;
  line_.Push(operation);
}

void IoUringProactor::SubmitFromLine(OperationBase& operation, io_uring_sqe& entry) {
  operation.backend_state &= ~kInLine;
  if ((operation.backend_state & kPolling) != 0) {
    short events = operation.readiness() == Readiness::kWrite ? POLLOUT : POLLIN;
    io_uring_prep_poll_add(&entry, operation.descriptor()->number, events);
    return Push(operation, entry);
  }
  operation.Prepare(entry);
  if (ring_->Supports(entry.opcode)) {
    if ((operation.backend_state & kOnWorker) != 0) entry.flags |= IOSQE_ASYNC;
    return Push(operation, entry);
  }
  SubmitToPool(operation);
}

void IoUringProactor::SubmitToPool(OperationBase& operation) {
  operation.backend_state = kOffloaded;
  offload_.Submit(operation);
}

void IoUringProactor::Cancel(OperationBase& operation) {
  if ((operation.backend_state & kOffloaded) != 0) return offload_.Cancel(operation);
  // One that stands in line is not known to the kernel: it ends when its turn comes, in the next Wait.
  if ((operation.backend_state & kInLine) != 0) return;
  if (TrySubmitCancel(UserData(operation))) return;
  operation.backend_state |= kCancelInLine;
  cancels_.push_back(UserData(operation));
}

bool IoUringProactor::TrySubmitCancel(uint64_t user_data) {
  io_uring_sqe* entry = Entry();
  if (entry == nullptr) return false;
  entry->opcode = IORING_OP_ASYNC_CANCEL;
  entry->fd = -1;
  entry->addr = user_data;
  // The result says nothing about the operation, which ends by its own.
  entry->user_data = kCancelRequest;
  ring_->Push();
  counters().cancels.Add();
  return true;
}

void IoUringProactor::AdvanceLine() {
  while (!cancels_.empty() && TrySubmitCancel(cancels_.back())) {
    OperationOf(cancels_.back())->backend_state &= ~kCancelInLine;
    cancels_.pop_back();
  }
  while (!line_.empty()) {
    OperationBase& operation = static_cast<OperationBase&>(*line_.front());
    if (operation.cancel_requested()) {
      line_.Pop();
      operation.backend_state = 0;
      completed_directly_ = true;
      operation.Complete(-ECANCELED);
    } else if (io_uring_sqe* entry = Entry(); entry != nullptr) {
      line_.Pop();
      SubmitFromLine(operation, *entry);
    } else {
      return;
    }
  }
}

void IoUringProactor::ArmWake() {
  io_uring_sqe* entry = Entry();
  if (entry == nullptr) return;
  io_uring_prep_poll_add(entry, wake_fd(), POLLIN);
  if (wake_multishot_) entry->len = IORING_POLL_ADD_MULTI;
  entry->user_data = kWake;
  ring_->Push();
  wake_armed_ = true;
}

inline void IoUringProactor::OperationCompleted(OperationBase& operation, int result, SuspensionQueue& completed) {
  bool usual = operation.backend_state == 0 && result != -EAGAIN;
  if (usual || Settles(operation, result)) [[likely]] {
    operation.Complete(result, completed);
  } else {
    StandInLine(operation);
  }
}

void IoUringProactor::Wait(MonotonicTime until) {
  EnsureEnabled();
  completed_directly_ = false;
  if (!wake_armed_) ArmWake();
  AdvanceLine();

  bool may_wait = until > MonotonicTime::Past() && !completed_directly_ && wake_armed_ && line_.empty() &&
                  cancels_.empty() && !ring_->HasCompletions();
  if (may_wait) {
    Enter(1, until);
  } else if (ring_->unsubmitted() > 0 || ring_->NeedsEnter()) {
    Enter(0, MonotonicTime::Past());
  }
  // Operations of idle connections have left the caches by now: fetch all of a batch before touching the first.
  SuspensionQueue completed;
  ring_->Reap([](uint64_t user_data) { __builtin_prefetch(OperationOf(user_data)); },
              [&](const io_uring_cqe& completion) {
                if ((completion.user_data & kKindMask) == kOperation) [[likely]] {
                  OperationCompleted(*OperationOf(completion.user_data), completion.res, completed);
                } else if ((completion.user_data & kKindMask) == kWake) {
                  WakeCompleted(completion);
                }
              });
  // One way to the ready queue for the batch: each operation's own leads through its task.
  if (!completed.empty()) static_cast<OperationBase*>(completed.front())->loop().ready_queue.Append(completed);
}

void IoUringProactor::Enter(unsigned wait_for, MonotonicTime until) {
  counters().enters.Add();
  if (ring_->overflowed()) counters().overflows.Add();
  int result = ring_->Enter(wait_for, until);
  if (result > 0) counters().submissions.Add(result);
  if (result >= 0 || result == -ETIME) return;
  // EINTR: a signal. EAGAIN: no memory for requests right now. EBUSY: completions must be taken first, which happens
  // next.
  if (result == -EINTR || result == -EAGAIN || result == -EBUSY) {
    counters().interruptions.Add();
    return;
  }
  CheckFailed(absl::StrCat("The io_uring cannot go on: ", ErrnoToStatus(-result, "io_uring_enter").message(),
                           result == -EEXIST ? " (it was used from a second thread)" : "",
                           result == -EBADR ? " (the kernel ran out of memory and lost completions)" : ""));
}

void IoUringProactor::WakeCompleted(const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  if (completion.res == -EINVAL) wake_multishot_ = false;  // Linux 5.12 has no multishot polls.
  // A new poll would fire at once if the counter were not read.
  TakeWakes();
  wake_armed_ = false;
}

// Looks at a result that is not the operation's own yet, or that the kernel gave instead of waiting. False: ask again.
bool IoUringProactor::Settles(OperationBase& operation, int& result) {
  if ((operation.backend_state & kCancelInLine) != 0) std::erase(cancels_, UserData(operation));
  bool cancelled = operation.cancel_requested();
  if ((operation.backend_state & kPolling) != 0) {
    operation.backend_state &= ~kPolling;
    if (result >= 0 && !cancelled) return false;
    if (result >= 0) result = -ECANCELED;
  } else if (result == -EAGAIN && cancelled) {
    result = -ECANCELED;
  } else if (result == -EAGAIN && (operation.backend_state & kOnWorker) == 0) {
    // The descriptor is non-blocking: the kernel tried once instead of waiting.
    operation.backend_state |= operation.readiness() != Readiness::kBlocking ? kPolling : kOnWorker;
    return false;
  }
  return true;
}

}  // namespace proactor
