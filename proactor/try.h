// SPDX-License-Identifier: Apache-2.0
//
// Try(x): the value of `x`, or leave this coroutine with its error.
//
//   size_t n = co_await Try(stream.Read(buffer));         // an awaitable
//   Config config = co_await Try(ParseConfig(text));      // an absl::StatusOr, or an absl::Status
//
// Result: the T of an `absl::StatusOr<T>`, nothing for an `absl::Status`.
// On failure the coroutine ends with that status as its result, as if by `co_return`, without being resumed: the error
// climbs to the first coroutine that awaits without `Try`, and the frames between are destroyed, innermost first,
// before that one continues.
// A function, not a macro; the coroutine must return `absl::Status` or `absl::StatusOr<T>`.
#ifndef PROACTOR_TRY_H_
#define PROACTOR_TRY_H_

#include <coroutine>
#include <type_traits>
#include <utility>

#include "proactor/promise.h"
#include "proactor/result.h"

namespace proactor {
namespace internal {

template <class Result>
class ValueAwaiter {
 public:
  ValueAwaiter(Result&& result, PromiseBase& promise) : result_(std::move(result)), promise_(promise) {}
  ValueAwaiter(const ValueAwaiter&) = delete;

  bool await_ready() const { return result_.ok(); }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P>) {
    static_assert(P::kCarriesStatus, "Try needs a coroutine that returns absl::Status or absl::StatusOr<T>");
    return promise_.Fail(StatusOf(std::move(result_)));
  }
  auto await_resume() { return ValueOf(std::move(result_)); }

 private:
  Result result_;
  PromiseBase& promise_;
};

// Refers to what it was made of, which lives as long as the `co_await` expression: a copy would cost the frame its size
// once more. Not movable, so that it cannot be awaited in another expression.
template <class A>
class [[nodiscard]] TryAwaitable {
 public:
  using Plain = std::remove_cvref_t<A>;

  explicit TryAwaitable(A&& awaitable) : awaitable_(std::forward<A>(awaitable)) {}
  TryAwaitable(const TryAwaitable&) = delete;

  template <bool>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    if constexpr (CarriesStatus<Plain>) {
      return ValueAwaiter<Plain>(Plain(std::forward<A>(awaitable_)), promise);
    } else {
      return Plain(std::forward<A>(awaitable_)).template MakeAwaiter<true>(promise, context);
    }
  }

 private:
  A&& awaitable_;
};

}  // namespace internal

template <class A>
internal::TryAwaitable<A> Try(A&& awaitable) {
  using Plain = std::remove_cvref_t<A>;
  static_assert(CarriesStatus<Plain> || internal::Awaitable<Plain>,
                "Try takes an absl::Status, an absl::StatusOr<T>, or an awaitable that yields one");
  static_assert(CarriesStatus<Plain> || !std::is_lvalue_reference_v<A> || std::is_trivially_copyable_v<Plain>,
                "A Task, like everything that is awaited once, must be awaited as an rvalue: "
                "co_await Try(std::move(task))");
  return internal::TryAwaitable<A>(std::forward<A>(awaitable));
}

}  // namespace proactor

#endif  // PROACTOR_TRY_H_
