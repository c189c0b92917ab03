// SPDX-License-Identifier: Apache-2.0
//
// UntilStopping: waits for something new, until it is time to finish what one has.
//
//   while (std::optional<TcpStream> stream = co_await Try(UntilStopping(listener.Accept()))) {
//     connections.Spawn(ServeClient(*std::move(stream)));
//   }
//   scope.StopSoon();   // elsewhere: the loop ends, the connections go on
//
// It takes any awaitable, and asks it to end when the scope that it runs in, or one around that, is told to `StopSoon`
// (cancellation.h). Once that has been said, it never begins.
//
// Result: `absl::StatusOr<std::optional<T>>` for a T, `absl::StatusOr<bool>` for nothing; nullopt and false say that it
//   was ended because of the stopping. What has happened all the same is delivered, never lost: a value, another
//   failure, or, of an operation that got part of the way (`BytesTransferred`, errors.h), how far it got.
// Cancelled: that of the awaitable, usually `kCancelled`, also if the scope is stopping as well.
// Threads: the scheduler's.
#ifndef PROACTOR_UNTIL_STOPPING_H_
#define PROACTOR_UNTIL_STOPPING_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/cancellation.h"
#include "proactor/errors.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/task.h"
#include "proactor/timeout.h"

namespace proactor {
namespace internal {

template <class Result>
struct UntilStoppingResult {
  using Type = absl::StatusOr<std::optional<Result>>;
};
template <>
struct UntilStoppingResult<void> {
  using Type = absl::StatusOr<bool>;
};
template <>
struct UntilStoppingResult<absl::Status> {
  using Type = absl::StatusOr<bool>;
};
template <class T>
struct UntilStoppingResult<absl::StatusOr<T>> {
  using Type = absl::StatusOr<std::optional<T>>;
};

// Whether `failure` says no more than that `scope` stops.
inline bool OnlyStopped(const CancelScope& scope, const absl::Status& failure) {
  return scope.cause() == CancelCause::kStopping && absl::IsCancelled(failure) &&
         BytesTransferred(failure).value_or(0) == 0;
}

}  // namespace internal

template <class A>
Task<typename internal::UntilStoppingResult<internal::AwaitResult<A>>::Type> UntilStopping(A awaitable) {
  using Result = internal::AwaitResult<A>;
  CancelScope scope(co_await CurrentContext(), CancelScope::kUntilStopping);
  if constexpr (std::is_void_v<Result>) {
    co_await internal::InScope(scope, std::move(awaitable));
    co_return true;
  } else if constexpr (!CarriesStatus<Result>) {
    co_return std::optional<Result>(co_await internal::InScope(scope, std::move(awaitable)));
  } else {
    Result result = co_await internal::InScope(scope, std::move(awaitable));
    bool happened = !internal::OnlyStopped(scope, internal::StatusOf(result));
    if (happened && !result.ok()) co_return internal::StatusOf(std::move(result));
    if constexpr (std::is_same_v<Result, absl::Status>) {
      co_return happened;
    } else {
      if (!happened) co_return std::optional<typename Result::value_type>();
      co_return std::optional<typename Result::value_type>(*std::move(result));
    }
  }
}

}  // namespace proactor

#endif  // PROACTOR_UNTIL_STOPPING_H_
