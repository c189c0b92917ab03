// SPDX-License-Identifier: Apache-2.0
//
// SharedPromise<T>, SharedFuture<T>: a Promise and a Future on different threads.
//
//   SharedPromise<Digest> promise;
//   SharedFuture<Digest> future = promise.GetFuture();
//   std::thread thread([promise = std::move(promise)]() mutable { promise.Set(Compute()); });
//   Digest digest = co_await Try(future.Get());       // A thread without a scheduler: future.GetBlocking()
//
// All that future.h says holds here too: set once, to a value or a failure; dropped unset, it fails its future with
// `kAborted`; one waits at a time, and may wait again when cancelled.
//
// Result: as of Future. `GetBlocking` yields `kDeadlineExceeded` when its time is over, and may be called again.
// Cancelled: `kCancelled`. What another thread has handed over is delivered, though it arrives after the cancellation.
// Threads: the promise on any, the future on any; each on one at a time.
#ifndef PROACTOR_SYNC_SHARED_FUTURE_H_
#define PROACTOR_SYNC_SHARED_FUTURE_H_

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/sync/shared_waiter.h"

namespace proactor {
namespace internal {

// Waits for the result of a promise.
template <class T>
struct AwaitedResult : SharedWaiter {
  WithStatus<T> result;
};

// What a promise and its future share.
template <class T>
struct SharedFutureState {
  // Under the lock: moves the result into `taken`, if it is there.
  bool Take(WithStatus<T>& taken) {
    Check(!given_away && waiters.front() == nullptr, "A SharedFuture was awaited twice: it has one value, for one.");
    if (!result.has_value()) return false;
    given_away = true;
    taken = *std::exchange(result, std::nullopt);
    return true;
  }
  void Set(WithStatus<T> value) {
    std::lock_guard lock(mutex);
    set = true;
    if (auto* waiter = static_cast<AwaitedResult<T>*>(waiters.front())) {
      given_away = true;
      waiter->result = std::move(value);
      waiters.Wake(*waiter);
    } else if (wanted) {
      result.emplace(std::move(value));
    }
  }

  bool given = false, set = false;  // The promise's own.
  std::mutex mutex;
  std::optional<WithStatus<T>> result;  // Set, and not taken yet.
  SharedWaiterList waiters;             // At most one.
  bool wanted = true;                   // The future is there, or can still be made.
  bool given_away = false;
};

template <class T>
class PendingSharedGet : public SharedLeaf<AwaitedResult<T>> {
 public:
  PendingSharedGet(PromiseBase& promise, const Context& context, std::shared_ptr<SharedFutureState<T>> state)
      : PendingSharedGet::SharedLeaf(promise, context, state->mutex), state_(std::move(state)) {}

  bool Start() {
    if (this->ScopeCancelled()) return this->Settle(Waiter::kCancelled);
    {
      std::lock_guard lock(state_->mutex);
      if (!state_->Take(this->result)) return this->WaitIn(state_->waiters);
    }
    return this->Settle(Waiter::kGranted);
  }
  bool Failed() const { return Waiter::Failed() || !this->result.ok(); }
  absl::Status TakeFailure() { return Waiter::Failed() ? Waiter::TakeFailure() : StatusOf(std::move(this->result)); }
  WithStatus<T> TakeResult() {
    if (Waiter::Failed()) return Waiter::TakeFailure();
    return std::move(this->result);
  }
  auto TakeValue() { return ValueOf(std::move(this->result)); }
  std::string Describe() const final { return "a shared future"; }

 private:
  std::shared_ptr<SharedFutureState<T>> state_;  // Lives until the wait is over, whatever becomes of both ends.
};

}  // namespace internal

template <class T>
class [[nodiscard]] SharedFuture {
 public:
  SharedFuture() = default;
  SharedFuture(SharedFuture&&) = default;
  SharedFuture& operator=(SharedFuture&& other) noexcept {
    SharedFuture dropped(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
  }
  ~SharedFuture() {
    if (state_ == nullptr) return;
    std::lock_guard lock(state_->mutex);
    state_->wanted = false;
    state_->result.reset();
  }

  // Waits until the promise is set.
  auto Get() {
    CheckThere();
    return GetAwaitable{this};
  }
  // The same, blocking the thread. Not for a scheduler's own: all its coroutines would stand still.
  WithStatus<T> GetBlocking(absl::Duration timeout = absl::InfiniteDuration()) {
    CheckThere();
    std::unique_lock lock(state_->mutex);
    ThreadWait<internal::AwaitedResult<T>> wait;
    if (!state_->Take(wait.result) && !wait.WaitIn(state_->waiters, lock, timeout)) {
      return absl::DeadlineExceededError("future: its promise was not set in time");
    }
    return std::move(wait.result);
  }
  // Whether `Get` has something to give without waiting.
  bool ready() const {
    if (state_ == nullptr) return false;
    std::lock_guard lock(state_->mutex);
    return state_->result.has_value();
  }

 private:
  template <class>
  friend class SharedPromise;
  struct [[nodiscard]] GetAwaitable {
    SharedFuture* future;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<internal::PendingSharedGet<T>, kTry>(promise, context, future->state_);
    }
  };

  explicit SharedFuture(std::shared_ptr<internal::SharedFutureState<T>> state) : state_(std::move(state)) {}
  void CheckThere() const {
    Check(state_ != nullptr, "An empty SharedFuture was awaited: it was moved from, or never came from a promise.");
  }
  std::shared_ptr<internal::SharedFutureState<T>> state_;
};

template <class T>
class SharedPromise {
 public:
  SharedPromise() : state_(std::make_shared<internal::SharedFutureState<T>>()) {}
  SharedPromise(SharedPromise&&) = default;
  SharedPromise& operator=(SharedPromise&& other) noexcept {
    SharedPromise dropped(std::move(*this));
    state_ = std::move(other.state_);
    return *this;
  }
  ~SharedPromise() {
    if (state_ == nullptr || state_->set) return;
    state_->Set(absl::AbortedError("future: its promise was dropped without a value"));
  }

  // Once.
  SharedFuture<T> GetFuture() {
    Check(state_ != nullptr && !std::exchange(state_->given, true), "SharedPromise::GetFuture was called twice.");
    return SharedFuture<T>(state_);
  }

  // Once: gives a value or a failure to who waits for it.
  void Set(WithStatus<T> result) {
    Check(state_ != nullptr && !state_->set, "A SharedPromise was set twice, or after a move.");
    state_->Set(std::move(result));
  }
  void Set() requires std::is_void_v<T> { Set(absl::OkStatus()); }

  // Whether somebody has the future, or can still get it.
  bool wanted() const {
    if (state_ == nullptr) return false;
    std::lock_guard lock(state_->mutex);
    return state_->wanted;
  }

 private:
  std::shared_ptr<internal::SharedFutureState<T>> state_;
};

}  // namespace proactor

#endif  // PROACTOR_SYNC_SHARED_FUTURE_H_
