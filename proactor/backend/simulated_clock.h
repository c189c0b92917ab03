// SPDX-License-Identifier: Apache-2.0
//
// SimulatedClock: a clock that stands still until it is told to go on.
//
//   SimulatedClock clock;
//   clock.AdvanceTo(clock.Now() + absl::Seconds(5));
//   clock.WallTime()   // five seconds into 2030
//
// Threads: one at a time.
#ifndef PROACTOR_BACKEND_SIMULATED_CLOCK_H_
#define PROACTOR_BACKEND_SIMULATED_CLOCK_H_

#include <algorithm>

#include "absl/time/time.h"
#include "proactor/monotonic_time.h"

namespace proactor {

class SimulatedClock {
 public:
  // Where every simulation starts; not zero, as on a machine that has been up for a while.
  static constexpr MonotonicTime kStart = {1'000'000'000'000};

  MonotonicTime Now() const { return now_; }

  // 2030-01-01 00:00:00 UTC, and as much later as has been simulated.
  absl::Time WallTime() const { return absl::FromUnixSeconds(1'893'456'000) + (now_ - kStart); }

  // Never goes back: a time that has passed has no effect.
  void AdvanceTo(MonotonicTime time) { now_ = std::max(now_, time); }

 private:
  MonotonicTime now_ = kStart;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_CLOCK_H_
