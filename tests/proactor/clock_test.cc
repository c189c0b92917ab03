// SPDX-License-Identifier: Apache-2.0
#include "proactor/clock.h"

#include <time.h>

#include <memory>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/proactor.h"
#include "proactor/sleep.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

MonotonicTime KernelNow() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

class ClockTest : public BackendTest {
 protected:
  const Clock& clock() { return scheduler().proactor(); }
};

TEST_P(ClockTest, NeverGoesBack) {
  MonotonicTime last = clock().Now();
  for (int i = 0; i < 1000; ++i) {
    MonotonicTime now = clock().Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST_P(ClockTest, HasGoneOnByAtLeastWhatWasSlept) {
  MonotonicTime before = clock().Now();
  absl::Time wall_before = clock().WallTime();
  auto body = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Milliseconds(3)); };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_GE(clock().Now() - before, absl::Milliseconds(3));
  if (simulated()) {
    EXPECT_EQ(clock().WallTime() - wall_before, clock().Now() - before) << "both are of one simulation";
  }
}

INSTANTIATE_ON_EVERY_BACKEND(ClockTest);

// CLOCK_MONOTONIC and CLOCK_REALTIME, read afresh.
TEST(RealClockTest, IsTheKernels) {
  Bench bench(Backend::kIoUring);
  const Clock& clock = bench.scheduler().proactor();
  MonotonicTime before = KernelNow();
  MonotonicTime now = clock.Now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, KernelNow());
  EXPECT_NE(clock.WallTime(), absl::UnixEpoch());
}

TEST(SimulatedClockTest, StandsStillWhileNothingWaits) {
  Bench bench(Backend::kSimulated);
  const Clock& clock = bench.scheduler().proactor();
  MonotonicTime before = clock.Now();
  absl::Time wall_before = clock.WallTime();
  for (int i = 0; i < 100; ++i) bench.scheduler().Turn(MonotonicTime::Past());
  EXPECT_EQ(clock.Now(), before);
  EXPECT_EQ(clock.WallTime(), wall_before);
}

}  // namespace
}  // namespace proactor
