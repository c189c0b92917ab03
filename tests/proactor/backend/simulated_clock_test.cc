// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_clock.h"

#include <gtest/gtest.h>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace proactor {
namespace {

TEST(SimulatedClockTest, StandsStillUntilToldToGoOn) {
  SimulatedClock clock;
  MonotonicTime start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.AdvanceTo(start + absl::Seconds(5));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(5));
}

TEST(SimulatedClockTest, NeverGoesBack) {
  SimulatedClock clock;
  MonotonicTime start = clock.Now();
  clock.AdvanceTo(start + absl::Seconds(-5));
  clock.AdvanceTo(MonotonicTime::Past());
  EXPECT_EQ(clock.Now(), start);
}

TEST(SimulatedClockTest, TheTimeOfDayGoesWithIt) {
  SimulatedClock clock;
  EXPECT_EQ(clock.WallTime(), absl::FromCivil(absl::CivilDay(2030, 1, 1), absl::UTCTimeZone()));
  clock.AdvanceTo(clock.Now() + absl::Hours(25));
  EXPECT_EQ(clock.WallTime(), absl::FromCivil(absl::CivilHour(2030, 1, 2, 1), absl::UTCTimeZone()));
}

TEST(SimulatedClockTest, DoesNotStartAtZero) { EXPECT_GT(SimulatedClock().Now(), MonotonicTime{0}); }

}  // namespace
}  // namespace proactor
