// SPDX-License-Identifier: Apache-2.0
//
// A point on a scheduler's own clock, which never goes backwards: nanoseconds since an epoch of the clock's choice.
//
//   MonotonicTime deadline = proactor.Now() + absl::Seconds(5);
//
// Real proactors count CLOCK_MONOTONIC (see clock_gettime(2)), the simulated one counts virtual time. Sums saturate:
// `Now() + absl::InfiniteDuration()` is `MonotonicTime::Infinite()`. Fractions of a nanosecond are rounded up, so that
// a timer is never early.
#ifndef PROACTOR_MONOTONIC_TIME_H_
#define PROACTOR_MONOTONIC_TIME_H_

#include <compare>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace proactor {

struct MonotonicTime {
  int64_t nanoseconds = 0;

  static constexpr MonotonicTime Infinite() { return {std::numeric_limits<int64_t>::max()}; }
  // Before every other time: a deadline that has always passed.
  static constexpr MonotonicTime Past() { return {std::numeric_limits<int64_t>::min()}; }

  friend constexpr auto operator<=>(MonotonicTime, MonotonicTime) = default;

  friend MonotonicTime operator+(MonotonicTime time, absl::Duration duration) {
    int64_t count = absl::ToInt64Nanoseconds(duration);  // saturates, truncates towards zero
    if (absl::Nanoseconds(count) < duration && count < std::numeric_limits<int64_t>::max()) ++count;
    int64_t sum;
    if (__builtin_add_overflow(time.nanoseconds, count, &sum)) return count > 0 ? Infinite() : Past();
    return {sum};
  }
  friend absl::Duration operator-(MonotonicTime left, MonotonicTime right) {
    return absl::Nanoseconds(left.nanoseconds) - absl::Nanoseconds(right.nanoseconds);
  }
};

}  // namespace proactor

#endif  // PROACTOR_MONOTONIC_TIME_H_
