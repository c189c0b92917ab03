// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/io_uring_proactor.h"

#include <poll.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/backend/user_data.h"
#include "proactor/descriptor.h"
#include "proactor/errors.h"
#include "proactor/log.h"
#include "proactor/remote_close.h"

namespace proactor {
namespace {

// What an operation is doing here, in its `backend_state`.
enum State : uint8_t {
  kInLine = 1,          // In `line_`.
  kPolling = 2,         // Its entry is a poll, because the real one found nothing.
  kOnWorker = 4,        // Not attempted inline: that has failed with EAGAIN although there is nothing to poll.
  kCancelInLine = 8,    // In `cancels_`.
  kOffloaded = 16,      // With the pool: the kernel does not know it.
  kByCall = 32,         // Performed here, once its poll says that it is ready: the kernel does not know it.
  kMultishotWait = 64,  // Waits for the multishot request of its descriptor.
};

// The same of a multishot request, besides being armed: it has been asked to end, is in `to_adjust_`, has a descriptor
// that nobody else has, has its end waited for, has had a result.
enum MultishotState : uint8_t { kDisarming = 2, kToAdjust = 4, kTakenOver = 8, kForgetting = 16, kProven = 32 };

constexpr int kPostponed = std::numeric_limits<int>::min();

}  // namespace

absl::StatusOr<std::unique_ptr<IoUringProactor>> IoUringProactor::Create(RingOptions options, RingKernel& kernel) {
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(options, kernel);
  if (!ring.ok()) return ring.status();
  absl::StatusOr<int> wake_fd = OpenWakeDescriptor(kernel.machine());
  if (!wake_fd.ok()) return wake_fd.status();
  return std::unique_ptr<IoUringProactor>(new IoUringProactor(*std::move(ring), kernel.machine(), *wake_fd));
}

IoUringProactor::IoUringProactor(std::unique_ptr<Ring> ring, Machine& machine, int wake_fd)
    : KernelProactor(machine, wake_fd),
      ring_(std::move(ring)),
      system_(SocketsMayBlock(ring_->features()) ? machine.system() : machine.non_blocking_system()),
      buffer_groups_(*ring_),
      registered_files_(*ring_),
      offload_(machine.blocking_jobs(), machine.system()) {}

// The ring is closed with what is left in it: the poll for wakes and requests to cancel, submitted or not. They name
// descriptors and operations, but point at no memory that is written to, and nobody reads their results.
IoUringProactor::~IoUringProactor() {
  CheckNothingInFlight();
  offload_.Drain();
  while (!InChild() && Drain() > 0) Wait(MonotonicTime::Infinite());
  // Of streams that outlive this.
  while (Multishot* multishot = claimed_.front()) Forget(multishot->descriptor());
}

size_t IoUringProactor::Drain() {
  draining_ = true;
  size_t armed = 0;
  for (IntrusiveList<Multishot>* list : {&claimed_, &closing_}) {
    for (Multishot* multishot = list->front(); multishot != nullptr; multishot = list->Next(*multishot)) {
      registered_files_.Remove(*multishot, true);
      if (!multishot->armed()) continue;
      ++armed;
      Adjust(*multishot);
    }
  }
  return armed;
}

Capabilities IoUringProactor::capabilities() const {
  Capabilities capabilities = ring_->capabilities();
  capabilities.backend = name();
  capabilities.reason = reason();
  return capabilities;
}

void IoUringProactor::EnsureEnabled() {
  if (ring_->enabled()) return;
  absl::Status status = ring_->Enable();
  Check(status.ok(), [&] { return absl::StrCat("The io_uring could not be enabled: ", status.ToString()); });
}

io_uring_sqe* IoUringProactor::EntryAfterFlush() {
  EnsureEnabled();
  counters().flushes.Add();
  EnterWithoutWaiting();
  return ring_->NextEntry();
}

void IoUringProactor::Submit(OperationBase& operation) {
  operation.backend_state = 0;
  io_uring_sqe* entry = line_.empty() ? Entry() : nullptr;  // Those that came first go first.
  if (entry == nullptr) [[unlikely]] {
    counters().full_queues.Add();
    return StandInLine(operation);
  }
  operation.Prepare(*entry);
  if (entry->user_data != 0 && WaitsFor(operation, *entry)) return;
  if (!ring_->Supports(entry->opcode)) [[unlikely]] {
    int result = PerformHere(operation);
    if (result != kPostponed) operation.CompleteAtOnce(result);
    return;
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
  if ((operation.backend_state & kPolling) != 0) return PushPoll(operation, entry);
  operation.Prepare(entry);
  if (entry.user_data != 0 && WaitsFor(operation, entry)) {  // Something may have come while it stood there.
    completed_directly_ |= GoesOn(*operation.descriptor()->multishot, operation.loop().ready_queue);
    return;
  }
  if (ring_->Supports(entry.opcode)) {
    if ((operation.backend_state & kOnWorker) != 0) entry.flags |= IOSQE_ASYNC;
    return Push(operation, entry);
  }
  // One that was polled in vain, which only a thread can perform.
  if ((operation.backend_state & kByCall) != 0) return SubmitToPool(operation);
  int result = PerformHere(operation);
  if (result == kPostponed) return;
  completed_directly_ = true;
  operation.Complete(result);
}

void IoUringProactor::PushPoll(OperationBase& operation, io_uring_sqe& entry) {
  short events = operation.readiness() == Readiness::kWrite ? POLLOUT : POLLIN;
  io_uring_prep_poll_add(&entry, operation.descriptor()->number, events);
  Push(operation, entry);
}

// Readiness and calls, as in the EpollProactor. A poll looks at how things are, so that nothing is lost between a call
// that found nothing and the poll.
int IoUringProactor::PerformHere(OperationBase& operation) {
  ReadyState* ready = ReadyOf(operation);
  if (ready != nullptr) {
    bool here = operation.descriptor()->ComeTo(this);
    int result = *ready == ReadyState::kNo && here ? -EAGAIN : operation.Perform(machine().non_blocking_system());
    if (result != -EAGAIN && result != -EOPNOTSUPP) return result;
    if (operation.descriptor()->CanBePolled(machine().system())) {
      *ready = ReadyState::kNo;
      operation.backend_state = kByCall | kPolling;
      if (io_uring_sqe* entry = line_.empty() ? Entry() : nullptr; entry != nullptr) {
        PushPoll(operation, *entry);
      } else {
        StandInLine(operation);
      }
      return kPostponed;
    }
  }
  SubmitToPool(operation);
  return kPostponed;
}

void IoUringProactor::SubmitToPool(OperationBase& operation) {
  operation.backend_state = kOffloaded;
  offload_.Submit(operation);
}

void IoUringProactor::Cancel(OperationBase& operation) {
  if ((operation.backend_state & kOffloaded) != 0) return offload_.Cancel(operation);
  // One that stands in line ends when its turn comes, in the next Wait. So does a request to cancel, if there is one.
  if ((operation.backend_state & (kInLine | kCancelInLine)) != 0) return;
  if ((operation.backend_state & kMultishotWait) != 0) {
    operation.descriptor()->multishot->waiting = nullptr;
    operation.backend_state = 0;
    return operation.Complete(-ECANCELED);
  }
  operation.backend_state |= kCancelInLine;
  cancels_.Push(operation);
}

void IoUringProactor::PushCancel(uint64_t user_data, io_uring_sqe& entry) {
  entry.opcode = IORING_OP_ASYNC_CANCEL;
  entry.fd = -1;
  entry.addr = user_data;
  // The result says nothing about the operation, which ends by its own.
  entry.user_data = UserData(EntryKind::kCancelRequest);
  ring_->Push();
  ++unsubmitted_cancels_;
  counters().cancels.Add();
}

// Of many, one submission queue in each turn: what ends with them is reaped and resumed while it is in the caches.
void IoUringProactor::SubmitCancels() {
  // With a flush, if need be: each turn could fill the queue before they have theirs.
  for (io_uring_sqe* entry = Entry(); entry != nullptr && !cancels_.empty(); entry = ring_->NextEntry()) {
    uint64_t user_data = cancels_.Pop();
    OperationOf(user_data)->backend_state &= ~kCancelInLine;
    PushCancel(user_data, *entry);
  }
}

void IoUringProactor::AdvanceLine() {
  while (!to_adjust_.empty()) {
    Multishot& multishot = *to_adjust_.back();
    to_adjust_.pop_back();
    multishot.backend_state &= ~kToAdjust;
    Adjust(multishot);
    if ((multishot.backend_state & kToAdjust) != 0) break;  // No room.
    if (multishot.waiting != nullptr) completed_directly_ |= GoesOn(multishot, multishot.waiting->loop().ready_queue);
  }
  if (!cancels_.empty()) SubmitCancels();
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

bool IoUringProactor::WaitsFor(OperationBase& operation, io_uring_sqe& entry) {
  Multishot& multishot = *reinterpret_cast<Multishot*>(std::exchange(entry.user_data, 0));
  if (!multishot.armed()) Adjust(multishot);
  // What the kernel has for it, nobody will take from there any more.
  if (draining_ && Drain() == 0) multishot.Lacking();
  if (!multishot.armed() && (multishot.backend_state & kToAdjust) == 0 && !multishot.HasResult()) return false;
  operation.backend_state = kMultishotWait;
  multishot.waiting = &operation;
  return true;
}

void IoUringProactor::Adjust(Multishot& multishot) {
  const bool armed = multishot.armed();
  const bool wanted = !draining_ && (multishot.backend_state & (kTakenOver | kForgetting)) == 0 && multishot.wanted() &&
                      ring_->Has(multishot.feature());
  if (armed == wanted || (multishot.backend_state & (kDisarming | kToAdjust)) != 0) return;
  if (wanted) Claim(multishot);
  if (armed ? TryDisarm(multishot) : TryArm(multishot)) return;
  multishot.backend_state |= kToAdjust;
  to_adjust_.push_back(&multishot);
}

// From here on the descriptor is not closed, nor used elsewhere, without asking.
void IoUringProactor::Claim(Multishot& multishot) {
  if (multishot.descriptor().watcher == this) return;
  multishot.descriptor().StopWatching();
  multishot.descriptor().watcher = this;
  claimed_.PushBack(multishot);
}

bool IoUringProactor::TryArm(Multishot& multishot) {
  io_uring_sqe* entry = Entry();
  if (entry == nullptr) return false;
  multishot.Prepare(*entry);
  entry->user_data = UserData(multishot);
  ring_->Push();
  multishot.backend_state |= Multishot::kArmed;
  return true;
}

bool IoUringProactor::TryDisarm(Multishot& multishot) {
  io_uring_sqe* entry = Entry();
  if (entry == nullptr) return false;
  PushCancel(UserData(multishot), *entry);
  multishot.backend_state |= kDisarming;
  return true;
}

void IoUringProactor::MultishotCompleted(Multishot& multishot, const io_uring_cqe& completion,
                                         SuspensionQueue& completed) {
  int result = completion.res;
  bool ended = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (ended) [[unlikely]] {
    multishot.backend_state &= ~(Multishot::kArmed | kDisarming);
    // From a kernel that has it, or about a descriptor that is wrong, it means something else.
    if (result == -EINVAL && !proven_.Contains(multishot.feature()) && !multishot.DescriptorIsWrong()) {
      ring_->Downgrade(multishot.feature());
      multishot.Lacking();
      result = -ECANCELED;
    }
  }
  if ((multishot.backend_state & kProven) == 0 && result >= 0) proven_.Add(multishot.feature());
  if (result >= 0) multishot.backend_state |= kProven;
  int buffer = (completion.flags & IORING_CQE_F_BUFFER) != 0 ? int(completion.flags >> IORING_CQE_BUFFER_SHIFT) : -1;
  if (multishot.Take(result, buffer, ended) == ended) Adjust(multishot);
  if (ended && (multishot.backend_state & kTakenOver) != 0) [[unlikely]] {
    if ((multishot.backend_state & kToAdjust) != 0) std::erase(to_adjust_, &multishot);
    return CloseDescriptor(&multishot.descriptor());
  }
  GoesOn(multishot, completed);
}

bool IoUringProactor::GoesOn(Multishot& multishot, SuspensionQueue& completed) {
  bool may_come = multishot.armed() || (multishot.backend_state & kToAdjust) != 0;
  if (multishot.waiting == nullptr || (may_come && !multishot.HasResult())) return false;
  OperationBase& operation = *std::exchange(multishot.waiting, nullptr);
  operation.backend_state = 0;
  operation.Complete(-EINTR, completed);  // It takes what there is when its turn comes.
  return true;
}

std::unique_ptr<BufferGroup> IoUringProactor::MakeBufferGroup(uint16_t capacity) {
  bool of_use = ring_->Has(Feature::kBufferRing) && ring_->Has(Feature::kMultishotReceive);
  return of_use ? buffer_groups_.Make(capacity) : nullptr;
}

// The one other exception to one enter per turn. It does not take long: the kernel takes what is armed back at once.
void IoUringProactor::Forget(Descriptor& descriptor) {
  Multishot& multishot = *descriptor.multishot;
  multishot.backend_state |= kForgetting;
  while (!InChild() && multishot.armed()) Disarm(multishot);
  multishot.Unlink();
  if ((multishot.backend_state & kToAdjust) != 0) std::erase(to_adjust_, &multishot);
  multishot.backend_state = 0;
  descriptor.watcher = nullptr;
  registered_files_.Remove(multishot, draining_ || multishot.moving);
  multishot.Forgotten();
}

void IoUringProactor::Disarm(Multishot& multishot) {
  EnsureEnabled();
  if ((multishot.backend_state & kDisarming) == 0) TryDisarm(multishot);
  counters().flushes.Add();
  Enter(1, MonotonicTime::Infinite());
  Reap();
}

bool IoUringProactor::TakeOver(Descriptor& descriptor) {
  Multishot* multishot = descriptor.multishot;
  if (InChild()) return false;
  if (!multishot->home->thread.IsThisThread()) {
    CloseOn(*multishot->home, descriptor);
    return true;
  }
  if (!multishot->armed()) return false;
  multishot->backend_state |= kTakenOver;
  multishot->Unlink();
  closing_.PushBack(*multishot);
  // Not before it has ended can it be closed, but the peer is to read the end of the stream now.
  if (!descriptor.resets && !multishot->HasUnreadBytes()) descriptor.system.Shutdown(descriptor.number, SHUT_RDWR);
  Adjust(*multishot);
  return true;
}

void IoUringProactor::ArmWake() {
  io_uring_sqe* entry = Entry();
  if (entry == nullptr) return;
  io_uring_prep_poll_add(entry, wake_fd(), POLLIN);
  if (ring_->Has(Feature::kMultishotPoll)) entry->len = IORING_POLL_ADD_MULTI;
  entry->user_data = UserData(EntryKind::kWake);
  ring_->Push();
  wake_armed_ = true;
}

inline void IoUringProactor::OperationCompleted(OperationBase& operation, int result, SuspensionQueue& completed) {
  bool usual = operation.backend_state == 0 && result != -EAGAIN;
  if (usual || Settles(operation, result)) [[likely]] {
    operation.Complete(result, completed);
  } else if ((operation.backend_state & kByCall) != 0) {
    __builtin_prefetch(operation.descriptor(), 1);
    polled_.Push(operation);
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
                  cancels_.empty() && to_adjust_.empty() && !ring_->HasCompletions();
  if (may_wait) {
    Enter(1, until);
  } else if (ring_->unsubmitted() > 0 || ring_->NeedsEnter()) {
    EnterWithoutWaiting();
  }
  registered_files_.Settle();
  Reap();
}

void IoUringProactor::Reap() {
  // Operations of idle connections have left the caches by now: fetch all of a batch before touching the first.
  SuspensionQueue completed;
  ring_->Reap([](uint64_t user_data) { PrefetchOwnerOf(user_data); },
              [&](const io_uring_cqe& completion) {
                EntryKind kind = KindOf(completion.user_data);
                if (kind == EntryKind::kOperation) [[likely]] {
                  OperationCompleted(*OperationOf(completion.user_data), completion.res, completed);
                } else if (kind == EntryKind::kMultishot) {
                  MultishotCompleted(*MultishotOf(completion.user_data), completion, completed);
                } else if (kind == EntryKind::kWake) {
                  WakeCompleted(completion);
                }
              });
  while (!polled_.empty()) {
    OperationBase& operation = static_cast<OperationBase&>(*polled_.front());
    polled_.Pop();
    PerformPolled(operation, completed);
  }
  // One way to the ready queue for the batch: each operation's own leads through its task.
  if (!completed.empty()) static_cast<OperationBase*>(completed.front())->loop().ready_queue.Append(completed);
}

// An operation that is cancelled ends by work that the kernel does for 20 completions in each call, or for as many as
// are waited for: so this asks for all of them, until a moment that has passed.
void IoUringProactor::EnterWithoutWaiting() { Enter(unsubmitted_cancels_, MonotonicTime::Past()); }

void IoUringProactor::Enter(unsigned wait_for, MonotonicTime until) {
  unsubmitted_cancels_ = 0;
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
  if (completion.res == -EINVAL) ring_->Downgrade(Feature::kMultishotPoll);
  // A new poll would fire at once if the counter were not read.
  TakeWakes();
  wake_armed_ = false;
}

// Looks at a result that is not the operation's own yet, or that the kernel gave instead of waiting. False: ask again.
bool IoUringProactor::Settles(OperationBase& operation, int& result) {
  if ((operation.backend_state & kCancelInLine) != 0) cancels_.Remove(operation);
  operation.backend_state &= ~kCancelInLine;
  bool cancelled = operation.cancel_requested();
  if ((operation.backend_state & kPolling) != 0) {
    operation.backend_state &= ~kPolling;
    if (result >= 0 && cancelled) result = -ECANCELED;
    if (result >= 0) return false;
  } else if (result == -EAGAIN && cancelled) {
    result = -ECANCELED;
  } else if (result == -EAGAIN && (operation.backend_state & kOnWorker) == 0) {
    // The descriptor is non-blocking: the kernel tried once instead of waiting.
    operation.backend_state |= operation.readiness() != Readiness::kBlocking ? kPolling : kOnWorker;
    return false;
  }
  return true;
}

// The poll of an operation that the kernel does not know has found it ready.
void IoUringProactor::PerformPolled(OperationBase& operation, SuspensionQueue& completed) {
  ReadyState* ready = ReadyOf(operation);
  *ready = ReadyState::kYes;
  int result = operation.Perform(machine().non_blocking_system());
  if (result != -EAGAIN && result != -EOPNOTSUPP) return operation.Complete(result, completed);
  // Nothing there after all: asked again. Or nothing that may be tried without blocking: for a thread of the pool.
  if (result == -EAGAIN) {
    *ready = ReadyState::kNo;
    operation.backend_state |= kPolling;
  }
  StandInLine(operation);
}

}  // namespace proactor
