// SPDX-License-Identifier: Apache-2.0
//
// WithStopToken: cancels an awaitable when a std::stop_token says so, on whichever thread that is requested.
//
//   std::stop_source source;
//   std::thread server([&] { Run(WithStopToken(source.get_token(), Serve(address))); });
//   source.request_stop();   // before it runs, while it does, or after
//
// The other way round, `RunBlocking` (run_blocking.h) gives a function that takes a std::stop_token one that is
// requested when the scope is cancelled.
//
// Result: that of the awaitable.
// Cancelled: by the token, with "stop requested" for a reason, or from outside: that of the awaitable, usually
//   `kCancelled`.
// Threads: the scheduler's; the stop may be requested on any.
#ifndef PROACTOR_STOP_TOKEN_H_
#define PROACTOR_STOP_TOKEN_H_

#include <stop_token>
#include <utility>

#include "proactor/cancellation.h"
#include "proactor/canceller.h"
#include "proactor/promise.h"
#include "proactor/task.h"
#include "proactor/timeout.h"

namespace proactor {
namespace internal {

inline constexpr char kStopRequested[] = "stop requested";

}  // namespace internal

template <class A>
Task<internal::AwaitResult<A>> WithStopToken(std::stop_token token, A awaitable) {
  CancelScope scope(co_await CurrentContext());
  // At once, and not with the message that the callback sends: the awaitable must not begin.
  if (token.stop_requested()) scope.Cancel(internal::kStopRequested);
  auto cancel = [canceller = Canceller(scope)] { canceller.Cancel(internal::kStopRequested); };
  std::stop_callback callback(std::move(token), std::move(cancel));
  co_return co_await internal::InScope(scope, std::move(awaitable));
}

}  // namespace proactor

#endif  // PROACTOR_STOP_TOKEN_H_
