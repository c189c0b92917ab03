// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/epoll_proactor.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/errors.h"
#include "proactor/log.h"

namespace proactor {
namespace {

// What an operation is doing here, in its `backend_state`.
enum State : uint8_t { kNowhere = 0, kParked = 1, kOffloaded = 2, kDeferred = 3 };

constexpr int kEvents = 256;
constexpr uint64_t kWake = ~uint64_t{0};  // Instead of a descriptor's number.

bool FoundNothing(int result) { return result == -EAGAIN || result == -EOPNOTSUPP; }

// For descriptors that cannot be tried without the risk of blocking.
bool IsReady(const OperationBase& operation, System& system) {
  short events = operation.readiness() == Readiness::kWrite ? POLLOUT : POLLIN;
  return system.Poll(operation.descriptor()->number, events) > 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EpollProactor>> EpollProactor::Create(EpollKernel& kernel) {
  absl::StatusOr<int> wake_fd = OpenWakeDescriptor(kernel.machine());
  if (!wake_fd.ok()) return wake_fd.status();
  std::unique_ptr<EpollProactor> proactor(new EpollProactor(kernel, *wake_fd));
  int epoll_fd = proactor->epoll_fd_;
  if (epoll_fd < 0) return ErrnoToStatus(-epoll_fd, "epoll_create1");
  // Never read: each wake is an edge.
  epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = kWake}};
  int result = kernel.Control(epoll_fd, EPOLL_CTL_ADD, *wake_fd, &event);
  if (result < 0) return ErrnoToStatus(-result, "epoll_ctl");
  return proactor;
}

EpollProactor::~EpollProactor() {
  CheckNothingInFlight();
  offload_.Drain();
  for (Descriptor* descriptor : watched_) {
    if (descriptor != nullptr) descriptor->watcher = nullptr;
  }
  if (epoll_fd_ >= 0) kernel_.Close(epoll_fd_);
}

void EpollProactor::Submit(OperationBase& operation) {
  const bool was_deferred = std::exchange(operation.backend_state, kNowhere) == kDeferred;
  if (ReadyState* ready = ReadyOf(operation); ready != nullptr) {
    Descriptor& descriptor = *operation.descriptor();
    if (descriptor.ComeTo(this) && descriptor.watcher == this) {
      if (*ready == ReadyState::kNo) return Park(operation);
      // Once for each operation: others may go on writing.
      if (*ready == ReadyState::kLater && !was_deferred) return Defer(operation);
      if (*ready == ReadyState::kLater) *ready = ReadyState::kYes;
      ReadyState& readable = descriptor.readable;
      if (ready == &descriptor.writable && readable == ReadyState::kYes) readable = ReadyState::kLater;
    }
  }
  int result = operation.Perform(system());
  if (FoundNothing(result)) [[unlikely]] {
    result = Postpone(operation, result);
    if (result >= 0) return;
  }
  operation.CompleteAtOnce(result);
}

int EpollProactor::Postpone(OperationBase& operation, int result) {
  ReadyState* ready = ReadyOf(operation);
  if (ready != nullptr) {
    int watching = Watch(operation);
    if (watching < 0 && watching != -EPERM) return watching;
    if (watching == 0 && (result == -EAGAIN || !IsReady(operation, system()))) {
      // Reports that came before this are still to be taken, and will end the wait.
      Park(operation);
      return 0;
    }
  }
  operation.backend_state = kOffloaded;
  offload_.Submit(operation);
  return 0;
}

void EpollProactor::Park(OperationBase& operation) {
  operation.backend_state = kParked;
  *ReadyOf(operation) = ReadyState::kAwaited;
  ++parked_;
}

void EpollProactor::Defer(OperationBase& operation) {
  operation.backend_state = kDeferred;
  operation.Defer();
}

void EpollProactor::Unpark(OperationBase& operation) {
  operation.backend_state = kNowhere;
  --parked_;
}

void EpollProactor::Cancel(OperationBase& operation) {
  if (operation.backend_state == kDeferred) return;  // It sees that itself, when its turn comes.
  counters().cancels.Add();
  if (operation.backend_state == kOffloaded) return offload_.Cancel(operation);
  Unpark(operation);
  *ReadyOf(operation) = ReadyState::kNo;
  operation.Complete(-ECANCELED);
}

int EpollProactor::Watch(OperationBase& operation) {
  Descriptor& descriptor = *operation.descriptor();
  // Where another goes on watching it, a thread has to wait.
  if (descriptor.kind == DescriptorKind::kRegularFile || !descriptor.ComeTo(this)) return -EPERM;
  if (descriptor.watcher == this) return 0;
  const size_t number = static_cast<size_t>(descriptor.number);
  epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = number}};
  int result = kernel_.Control(epoll_fd_, EPOLL_CTL_ADD, descriptor.number, &event);
  // Left from a descriptor that was closed behind the library's back while a duplicate keeps the file open.
  if (result == -EEXIST) result = kernel_.Control(epoll_fd_, EPOLL_CTL_MOD, descriptor.number, &event);
  if ((result == -ENOSPC || result == -ENOMEM) && operation.loop().MayComplain()) [[unlikely]] {
    std::string what = absl::StrCat("epoll cannot watch descriptor ", descriptor.number);
    Log(LogSeverity::kError,
        absl::StrCat(ErrnoToStatus(-result, what).message(),
                     result == -ENOSPC ? "; raise the limit fs.epoll.max_user_watches (sysctl)"
                                       : "; give the process more memory, or fewer connections"));
  }
  if (result < 0) return result;
  std::lock_guard lock(mutex_);
  if (number >= watched_.size()) watched_.resize(std::max(number + 1, 2 * watched_.size()));
  watched_[number] = &descriptor;
  descriptor.watcher = this;
  return 0;
}

// The kernel forgets a file when its last descriptor is closed, which may not be this one. In a child, numbers mean
// what they mean to the parent, who is to go on watching.
void EpollProactor::Forget(Descriptor& descriptor) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!InChild()) lock.lock();  // There, whoever had it is missing.
  if (!InChild()) kernel_.Control(epoll_fd_, EPOLL_CTL_DEL, descriptor.number, nullptr);
  watched_[static_cast<size_t>(descriptor.number)] = nullptr;
  descriptor.watcher = nullptr;
  descriptor.readable = descriptor.writable = ReadyState::kYes;
}

void EpollProactor::Wait(MonotonicTime until) {
  if (until <= MonotonicTime::Past() && parked_ == 0) return;
  epoll_event events[kEvents];
  int count = WaitForEvents(events, kEvents, until);
  if (count == 0) return;
  std::lock_guard lock(mutex_);
  // Idle connections have left the caches by now: fetch all of a batch before touching the first.
  for (int i = 0; i < count; ++i) __builtin_prefetch(Watched(events[i]));
  for (int i = 0; i < count; ++i) {
    Descriptor* descriptor = Watched(events[i]);
    if (descriptor != nullptr && descriptor->readable == ReadyState::kAwaited) __builtin_prefetch(descriptor->reading);
  }
  for (int i = 0; i < count; ++i) {
    if (Descriptor* descriptor = Watched(events[i]); descriptor != nullptr) Report(*descriptor, events[i].events);
  }
}

int EpollProactor::WaitForEvents(epoll_event* events, int size, MonotonicTime until) {
  counters().waits.Add();
  int64_t left = -1;
  if (until <= MonotonicTime::Past()) {
    left = 0;
  } else if (until < MonotonicTime::Infinite()) {
    left = std::max<int64_t>(until.nanoseconds - Now().nanoseconds, 0);
  }
  int count = -1;
  if (has_nanoseconds_) {
    timespec time = {left / 1'000'000'000, left % 1'000'000'000};
    count = kernel_.Wait(epoll_fd_, events, size, left < 0 ? nullptr : &time);
    if (count == -ENOSYS || count == -EPERM) has_nanoseconds_ = false;
  }
  if (!has_nanoseconds_) {
    // Rounded up: a wait that ends before its timer is due would be repeated without rest.
    int64_t milliseconds = left < 0 ? -1 : std::min<int64_t>((left + 999'999) / 1'000'000, 1 << 30);
    count = kernel_.WaitMilliseconds(epoll_fd_, events, size, static_cast<int>(milliseconds));
  }
  if (count >= 0) return count;
  Check(count == -EINTR,
        [&] { return absl::StrCat("The epoll cannot go on: ", ErrnoToStatus(-count, "epoll_wait").message()); });
  counters().interruptions.Add();
  return 0;
}

void EpollProactor::Report(Descriptor& descriptor, uint32_t events) {
  // An error and the end of both directions are for both to find.
  bool over = (events & (EPOLLHUP | EPOLLERR)) != 0;
  Report(descriptor.readable, descriptor.reading, (events & EPOLLIN) != 0, over || (events & EPOLLRDHUP) != 0);
  Report(descriptor.writable, descriptor.writing, (events & EPOLLOUT) != 0, over);
}

void EpollProactor::Report(ReadyState& ready, OperationBase* const& slot, bool now, bool for_good) {
  const bool awaited = ready == ReadyState::kAwaited;
  if (for_good) {
    ready = ReadyState::kForGood;
  } else if (now && ready != ReadyState::kForGood) {
    ready = ReadyState::kYes;
  }
  if (awaited && ready != ReadyState::kAwaited) Retry(*slot, ready);
}

void EpollProactor::Retry(OperationBase& operation, ReadyState& ready) {
  int result = operation.Perform(system());
  // A report may be wrong, and a thread would wait for ever in a call that nobody can cancel.
  if (result == -EAGAIN || (result == -EOPNOTSUPP && !IsReady(operation, system()))) {
    ready = ReadyState::kAwaited;
    return;
  }
  Unpark(operation);
  if (result == -EOPNOTSUPP) {
    operation.backend_state = kOffloaded;
    return offload_.Submit(operation);
  }
  operation.Complete(result);
}

}  // namespace proactor
