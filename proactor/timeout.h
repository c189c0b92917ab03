// SPDX-License-Identifier: Apache-2.0
//
// Awaiting something in a scope of its own: WithTimeout, WithDeadline, WithCancelScope, Shield.
//
//   absl::StatusOr<size_t> n = co_await WithTimeout(absl::Seconds(5), stream.Read(buffer));
//   absl::Status closed = co_await Shield(stream.Close());     // also in a scope that is cancelled
//   absl::Status told = co_await Shield(SayGoodbye(stream), {.grace = absl::Seconds(2)});   // but not for ever
//
// Each takes any awaitable, waits until that has ended, and yields its result.
//
// Result: that of the awaitable; one that cannot carry a status becomes an `absl::StatusOr` of it.
// Timeout: when the time comes first, the awaitable is cancelled, and if it then ends with `kCancelled`, the result is
//   `kDeadlineExceeded`. What it did before is not lost: a result that came in time, or while it was being cancelled,
//   is delivered. A timeout of zero or less still lets an operation try once.
// Cancelled from outside: the result of the awaitable, usually `kCancelled`; never taken for a timeout, also if both
//   happen at once: the first counts.
// Threads: the scheduler's.
#ifndef PROACTOR_TIMEOUT_H_
#define PROACTOR_TIMEOUT_H_

#include <concepts>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proactor/cancellation.h"
#include "proactor/errors.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/task.h"

namespace proactor {
namespace internal {

// An awaitable together with the scope that it runs in: the way a scope enters the context.
template <class A>
class [[nodiscard]] ScopedAwaitable {
 public:
  ScopedAwaitable(CancelScope& scope, A&& awaitable) : scope_(scope), awaitable_(std::move(awaitable)) {}
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context&) && {
    return std::move(awaitable_).template MakeAwaiter<kTry>(promise, scope_.context());
  }

 private:
  CancelScope& scope_;
  A awaitable_;
};

template <class A>
using AwaitResult =
    decltype(std::declval<A>()
                 .template MakeAwaiter<false>(std::declval<PromiseBase&>(), std::declval<const Context&>())
                 .await_resume());

template <class A>
ScopedAwaitable<A> InScope(CancelScope& scope, A awaitable) {
  return ScopedAwaitable<A>(scope, std::move(awaitable));
}

// What `result` is for whoever set the deadline of `scope`: a cancellation that this caused becomes kDeadlineExceeded.
template <class Result>
WithStatus<Result> TellDeadline(const CancelScope& scope, Result result) {
  if constexpr (CarriesStatus<Result>) {
    if (absl::IsCancelled(StatusOf(result)) && scope.cause() == CancelCause::kDeadline) {
      absl::Status status = absl::DeadlineExceededError("the time allowed for it is over");
      // What the failure knows, such as how far it got, is still true.
      StatusOf(result).ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
        if (type != kErrnoPayload) status.SetPayload(type, payload);
      });
      return status;
    }
  }
  return result;
}

}  // namespace internal

// Cancels `awaitable` when `timeout` is over, counted from the end of the step of the loop in which this is awaited:
// whatever can run without waiting has run by then.
template <class A>
Task<WithStatus<internal::AwaitResult<A>>> WithTimeout(absl::Duration timeout, A awaitable) {
  CancelScope scope(co_await CurrentContext());
  scope.SetTimeout(timeout);
  // Here rather than in a coroutine of its own, which would double the cost.
  if constexpr (std::is_void_v<internal::AwaitResult<A>>) {
    co_await internal::InScope(scope, std::move(awaitable));
    co_return absl::OkStatus();
  } else {
    co_return internal::TellDeadline(scope, co_await internal::InScope(scope, std::move(awaitable)));
  }
}

// The same with a time of day; a change of the system's clock after this is awaited has no effect.
template <class A>
Task<WithStatus<internal::AwaitResult<A>>> WithDeadline(absl::Time deadline, A awaitable) {
  const Context& context = co_await CurrentContext();
  co_return co_await WithTimeout(deadline - context.loop->clock.WallTime(), std::move(awaitable));
}

struct ShieldOptions {
  // How long the shield holds in a scope that is cancelled.
  absl::Duration grace = absl::InfiniteDuration();
};
static_assert(std::is_trivially_destructible_v<ShieldOptions>);

namespace internal {

class ShieldScope final : public CancelScope {
 public:
  ShieldScope(const Context& outer, ShieldOptions options) : CancelScope(outer, kShielded), grace_(options.grace) {
    if (outer.scope->cancelled()) ShieldScope::OuterCancelled();
  }

 private:
  void OuterCancelled() override {
    if (grace_ < absl::InfiniteDuration()) SetTimeout(grace_);
  }
  void Fire() override { CancelBecause(CancelCause::kParent); }

  const absl::Duration grace_;
};

}  // namespace internal

// Awaits `awaitable` where no cancellation from outside reaches it: for cleanup that has to wait for something.
// The grace counts from the moment the scope around is cancelled, or from the beginning of the shield if that is later:
// each shield has all of it. At its end the awaitable is cancelled, as it would have been without the shield: what
// waits ends with `kCancelled` and the reason of whoever cancelled the scope around.
template <class A>
Task<internal::AwaitResult<A>> Shield(A awaitable, ShieldOptions options = {}) {
  internal::ShieldScope scope(co_await CurrentContext(), options);
  co_return co_await internal::InScope(scope, std::move(awaitable));
}

// Calls `body` with a scope that it, and whoever it tells, can cancel, and awaits the task that it returns.
template <std::invocable<CancelScope&> Body>
std::invoke_result_t<Body, CancelScope&> WithCancelScope(Body body) {
  CancelScope scope(co_await CurrentContext());
  co_return co_await internal::InScope(scope, body(scope));
}

}  // namespace proactor

#endif  // PROACTOR_TIMEOUT_H_
