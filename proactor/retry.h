// SPDX-License-Identifier: Apache-2.0
//
// Retry: tries again what failed for now, after a while that grows.
//
//   absl::StatusOr<Page> page = co_await Retry([&] { return WithTimeout(absl::Seconds(1), Fetch(url)); },
//                                              {.attempts = 5, .first_delay = absl::Milliseconds(50)});
//
// Calls the function, awaits what it returns, and does so again while the failure is one of those that may pass.
//
// Result: that of the last attempt. It is the last because it succeeded, because its failure will not pass, because
//   there were enough, or because the deadline of the scope would come before the next.
// Cancelled: an attempt is cancelled like anything; a pause ends with `kCancelled`.
// Threads: the scheduler's. In a simulation the delays come from the seed.
#ifndef PROACTOR_RETRY_H_
#define PROACTOR_RETRY_H_

#include <concepts>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/timeout.h"

namespace proactor {

// Whether a failure may be gone after a while: `kUnavailable` and `kDeadlineExceeded`.
bool MayPass(const absl::Status& failure);

struct RetryOptions {
  int attempts = 3;  // In all, with the first, which is made in any case.
  absl::Duration first_delay = absl::Milliseconds(100);
  double factor = 2;                             // From each delay to the next,
  absl::Duration max_delay = absl::Seconds(10);  // up to this one.
  // Each delay is made shorter by up to this part of it, at random, so that those who failed together come back one by
  // one. From 0 to 1.
  double jitter = 0.5;
  bool (*may_pass)(const absl::Status&) = &MayPass;  // Which failures are worth another attempt.
};
static_assert(std::is_trivially_destructible_v<RetryOptions>);

namespace internal {

// How long to wait after the attempt with this number, from 1.
absl::Duration DelayAfter(int attempt, const RetryOptions& options, Loop& loop);

template <class Attempt>
using AttemptResult = AwaitResult<std::invoke_result_t<Attempt&>>;

// `Attempt` is a reference for a function that the caller keeps.
template <class Attempt>
Task<AttemptResult<Attempt>> RunRetry(Attempt attempt, RetryOptions options) {
  static_assert(CarriesStatus<AttemptResult<Attempt>>, "Retry needs what can fail: absl::Status or absl::StatusOr<T>");
  const Context& context = co_await CurrentContext();
  for (int number = 1;; ++number) {
    AttemptResult<Attempt> result = co_await attempt();
    if (result.ok() || number >= options.attempts || !options.may_pass(StatusOf(result))) co_return result;
    absl::Duration delay = DelayAfter(number, options, *context.loop);
    if (context.loop->clock.Now() + delay >= context.scope->deadline()) co_return result;
    absl::Status slept = co_await Sleep(delay);
    if (!slept.ok()) co_return slept;
  }
}

}  // namespace internal

template <class Attempt>
  requires internal::Awaitable<std::invoke_result_t<Attempt&>>
auto Retry(Attempt&& attempt, RetryOptions options = {}) {
  static_assert(std::is_lvalue_reference_v<Attempt> || std::is_trivially_destructible_v<Attempt>,
                "Name the function before you pass it (auto attempt = [...]; co_await Retry(attempt)), or capture by "
                "reference: GCC 12 destroys such a temporary twice");
  return internal::RunRetry<Attempt>(std::forward<Attempt>(attempt), options);
}

}  // namespace proactor

#endif  // PROACTOR_RETRY_H_
