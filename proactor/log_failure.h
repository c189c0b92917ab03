// SPDX-License-Identifier: Apache-2.0
//
// LogFailure: a failure that is logged and concerns nobody else.
//
//   auto [page, nothing] = co_await Try(All(Fetch(url), LogFailure(Prefetch(next), "prefetch")));
//
// Takes any awaitable that yields an `absl::Status` or `absl::StatusOr<T>`, awaits it, and logs its failure with the
// name, which must outlive it; usually a literal. In a group, `.on_failure = kLog` does the same for less.
//
// Result: nothing; there is none to fail. Cancelled: it ends as soon as the awaitable does; `kCancelled` is not logged.
// Threads: the scheduler's.
#ifndef PROACTOR_LOG_FAILURE_H_
#define PROACTOR_LOG_FAILURE_H_

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/task.h"
#include "proactor/timeout.h"

namespace proactor {
namespace internal {

// Logs `status`, unless it is OK or a cancellation.
void LogTaskFailure(std::string_view name, const absl::Status& status);

}  // namespace internal

template <internal::Awaitable A>
Task<void> LogFailure(A awaitable, std::string_view name) {
  using Result = internal::AwaitResult<A>;
  static_assert(CarriesStatus<Result>, "LogFailure needs what can fail: it yields absl::Status or absl::StatusOr<T>");
  Result result = co_await std::move(awaitable);
  internal::LogTaskFailure(name, internal::StatusOf(result));
}

}  // namespace proactor

#endif  // PROACTOR_LOG_FAILURE_H_
