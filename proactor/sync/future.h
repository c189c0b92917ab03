// SPDX-License-Identifier: Apache-2.0
//
// Promise<T>, Future<T>: one value, from who will have it to who waits for it.
//
//   Promise<Reply> promise;
//   Future<Reply> future = promise.GetFuture();
//   pending.emplace(id, std::move(promise));
//   co_await Try(connection.WriteAll(request));
//   Reply reply = co_await Try(future.Get());       // Elsewhere: pending[id].Set(std::move(reply));
//
//  - A promise is set once, to a value or to a failure. One that is dropped unset fails its future with `kAborted`.
//  - A future gives its value away once, and one waits for it at a time. When that wait is cancelled the value is not
//    lost: it can be awaited again.
//  - Who keeps a promise sees whether anybody still wants the value (`wanted`). Setting it then does no harm.
//  - Both can be moved, and may end in either order.
//
// For several who wait there is Event; for several values, Channel; for another thread, SharedFuture.
//
// Result: `Get` yields what was set: an `absl::StatusOr<T>`, or an `absl::Status` if T is void.
// Cancelled: `kCancelled`. Threads: those of one scheduler.
#ifndef PROACTOR_SYNC_FUTURE_H_
#define PROACTOR_SYNC_FUTURE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/frame_pool.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {
namespace internal {

// What a promise and its future share.
template <class T>
struct FutureState {
  static void* operator new(size_t size) { return AllocateFrame(size); }
  static void operator delete(void* state, size_t size) noexcept { FreeFrame(state, size); }

  std::optional<WithStatus<T>> result;  // Set, and not taken yet.
  WaiterList waiters;                   // At most one.
  int ends = 1;                         // Of the promise and the future, those that are there.
  bool set = false;
  bool given = false;   // The future was made,
  bool wanted = false;  // is there,
  bool taken = false;   // and has given its value away.
};

// One end of it: the last deletes it.
template <class T>
class FutureEnd {
 public:
  explicit FutureEnd(FutureState<T>* state) : state_(state) {}
  FutureEnd(FutureEnd&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  ~FutureEnd() {
    if (state_ != nullptr && --state_->ends == 0) delete state_;
  }
  void Swap(FutureEnd& other) { std::swap(state_, other.state_); }

  explicit operator bool() const { return state_ != nullptr; }
  FutureState<T>* operator->() const { return state_; }
  FutureState<T>& operator*() const { return *state_; }

 private:
  FutureState<T>* state_;
};

// Suspends until a promise is set, which hands the result over to here.
template <class T>
class PendingGet : public Waiter {
 public:
  PendingGet(PromiseBase& promise, const Context& context, FutureState<T>& state)
      : Waiter(promise, context), state_(state) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    Check(!state_.taken && state_.waiters.empty(), "A Future was awaited twice: it has one value, for one.");
    if (!state_.result.has_value()) return WaitIn(state_.waiters);
    Take(*std::move(state_.result));
    state_.result.reset();
    return Settle(kGranted);
  }
  void Take(WithStatus<T> result) {
    result_ = std::move(result);
    state_.taken = true;
  }
  bool Failed() const { return Waiter::Failed() || !result_.ok(); }
  absl::Status TakeFailure() { return Waiter::Failed() ? Waiter::TakeFailure() : StatusOf(std::move(result_)); }
  WithStatus<T> TakeResult() {
    if (Waiter::Failed()) return Waiter::TakeFailure();
    return std::move(result_);
  }
  auto TakeValue() { return ValueOf(std::move(result_)); }
  std::string Describe() const final { return "a future"; }

 private:
  FutureState<T>& state_;
  WithStatus<T> result_;
};

}  // namespace internal

template <class T>
class [[nodiscard]] Future {
 public:
  Future() : end_(nullptr) {}
  Future(Future&&) = default;
  Future& operator=(Future&& other) noexcept {
    Future dropped(std::move(*this));
    end_.Swap(other.end_);
    return *this;
  }
  ~Future() {
    if (!end_) return;
    end_->wanted = false;
    end_->result.reset();
  }

  // Waits until the promise is set.
  auto Get() {
    Check(bool(end_), "An empty Future was awaited: it was moved from, or never came from a Promise.");
    return GetAwaitable{*end_};
  }
  // Whether `Get` has something to give, without waiting.
  bool ready() const { return end_ && end_->result.has_value(); }

 private:
  template <class>
  friend class Promise;
  struct [[nodiscard]] GetAwaitable {
    internal::FutureState<T>& state;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<internal::PendingGet<T>, kTry>(promise, context, state);
    }
  };

  explicit Future(internal::FutureState<T>* state) : end_(state) {}
  internal::FutureEnd<T> end_;
};

template <class T>
class Promise {
 public:
  Promise() : end_(new internal::FutureState<T>) {}
  Promise(Promise&&) = default;
  Promise& operator=(Promise&& other) noexcept {
    Promise dropped(std::move(*this));
    end_.Swap(other.end_);
    return *this;
  }
  ~Promise() {
    if (end_ && !end_->set) Settle(absl::AbortedError("future: its promise was dropped without a value"));
  }

  // Once.
  Future<T> GetFuture() {
    Check(end_ && !end_->given, "Promise::GetFuture was called twice, or on a promise that was moved from.");
    end_->given = end_->wanted = true;
    ++end_->ends;
    return Future<T>(&*end_);
  }

  // Once: gives a value or a failure to who waits for it.
  void Set(WithStatus<T> result) {
    Check(end_ && !end_->set, "A Promise was set twice, or after it was moved from.");
    Settle(std::move(result));
  }
  void Set() requires std::is_void_v<T> { Set(absl::OkStatus()); }

  // Whether somebody has the future, or waits for it.
  bool wanted() const { return end_ && (end_->wanted || !end_->waiters.empty()); }

 private:
  void Settle(WithStatus<T> result) {
    end_->set = true;
    if (Waiter* waiter = end_->waiters.front()) {
      static_cast<internal::PendingGet<T>*>(waiter)->Take(std::move(result));
      end_->waiters.Wake(*waiter);
    } else if (end_->wanted || !end_->given) {
      end_->result.emplace(std::move(result));
    }
  }

  internal::FutureEnd<T> end_;
};

}  // namespace proactor

#endif  // PROACTOR_SYNC_FUTURE_H_
