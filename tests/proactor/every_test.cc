// SPDX-License-Identifier: Apache-2.0
#include "proactor/every.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EveryTest : public BackendTest {};

TEST_P(EveryTest, TheFirstTickIsAtOnceAndNoneIsEarly) {
  constexpr absl::Duration kPeriod = absl::Microseconds(500);
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(kPeriod);
    MonotonicTime before = scheduler().Now();
    int64_t tick = co_await Try(ticker.Next());
    MonotonicTime start = scheduler().Now();
    EXPECT_EQ(counters().timers_fired.value(), 0) << "It waited for the first.";
    for (int i = 0; i < 10; ++i) {
      tick += 1 + co_await Try(ticker.Next());
      // The begin is between the two.
      EXPECT_GE(scheduler().Now() - before, kPeriod * tick);
      if (simulated()) {
        EXPECT_LT(scheduler().Now() - start, kPeriod * (tick + 1)) << "One more was missed than it says.";
      }
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(EveryTest, SaysHowManyTicksWereMissed) {
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(absl::Milliseconds(2));
    int64_t missed = co_await Try(ticker.Next());
    if (simulated()) {
      EXPECT_EQ(missed, 0);
    }
    co_await Try(Sleep(absl::Milliseconds(7)));
    missed = co_await Try(ticker.Next());
    EXPECT_GE(missed, 2) << "Of the ticks at 2, 4 and 6 ms, the last comes late.";
    if (simulated()) {
      EXPECT_EQ(missed, 2);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(EveryTest, ACancelledWaitLosesNoTick) {
  auto body = [&]() -> Task<absl::Status> {
    constexpr absl::Duration kPeriod = absl::Milliseconds(2);
    Ticker ticker = Every(kPeriod);
    MonotonicTime before = scheduler().Now();
    int64_t ticks = 1 + co_await Try(ticker.Next());
    for (int i = 0; i < 20; ++i) {
      absl::StatusOr<int64_t> missed = co_await WithTimeout(absl::Microseconds(700), ticker.Next());
      if (missed.ok()) {
        ticks += 1 + *missed;
      } else {
        EXPECT_THAT(missed, StatusIs(absl::StatusCode::kDeadlineExceeded));
      }
    }
    ticks += 1 + co_await Try(ticker.Next());
    EXPECT_LE(ticks, absl::ToDoubleMilliseconds(scheduler().Now() - before) / 2 + 1);
    if (simulated()) {
      EXPECT_EQ(ticks, (scheduler().Now() - before) / kPeriod + 1);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(EveryTest, InACancelledScopeEndsAtOnce) {
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(absl::Milliseconds(1));
    CancelScope scope(co_await CurrentContext());
    scope.Cancel();
    absl::StatusOr<int64_t> first = co_await internal::InScope(scope, ticker.Next());
    EXPECT_THAT(first, StatusIs(absl::StatusCode::kCancelled));
    co_await Try(ticker.Next());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(EveryTest, APeriodOfZeroOrLessIsAnError) {
  auto body = [&]() -> Task<absl::Status> {
    for (absl::Duration period : {absl::ZeroDuration(), absl::Seconds(-1), -absl::InfiniteDuration()}) {
      Ticker ticker = Every(period);
      for (int i = 0; i < 3; ++i) {
        absl::StatusOr<int64_t> missed = co_await ticker.Next();
        EXPECT_THAT(missed, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::FormatDuration(period))));
      }
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(EveryTest, AnInfinitePeriodHasAFirstTickOnly) {
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(absl::InfiniteDuration());
    co_await Try(ticker.Next());
    absl::StatusOr<int64_t> second = co_await WithTimeout(absl::Milliseconds(1), ticker.Next());
    EXPECT_THAT(second, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(EveryTest);

// --- In simulated time, to the nanosecond. ---

class TickerTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(TickerTest);

TEST_P(TickerTest, DoesNotDriftWhateverTheWorkBetweenTakes) {
  std::vector<absl::Duration> ticks;
  std::vector<int64_t> missed;
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(absl::Seconds(1));
    for (double work : {0.0, 0.9, 0.1, 1.0, 3.5, 0.25, 0.0}) {
      missed.push_back(co_await Try(ticker.Next()));
      ticks.push_back(Elapsed());
      co_await Try(Sleep(absl::Seconds(work)));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_THAT(ticks, ElementsAre(absl::Seconds(0), absl::Seconds(1), absl::Seconds(2), absl::Seconds(3),
                                 absl::Seconds(4), absl::Seconds(7.5), absl::Seconds(8)));
  EXPECT_THAT(missed, ElementsAre(0, 0, 0, 0, 0, 2, 0));
}

TEST_P(TickerTest, APeriodThatIsNoWholeNumberOfNanosecondsDoesNotDrift) {
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(absl::Nanoseconds(1) / 4 * 5);
    for (int i = 0; i <= 4'000; ++i) {
      int64_t missed = co_await Try(ticker.Next());
      EXPECT_EQ(missed, 0);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(Elapsed(), absl::Nanoseconds(5'000));
}

TEST_P(TickerTest, APeriodShorterThanTheClockCanTellMissesTicksAndDoesNotDrift) {
  auto body = [&]() -> Task<absl::Status> {
    Ticker ticker = Every(absl::Nanoseconds(1) / 4);
    int64_t ticks = 0;
    for (int i = 0; i <= 100; ++i) ticks += 1 + co_await Try(ticker.Next());
    EXPECT_EQ(ticks, absl::ToInt64Nanoseconds(Elapsed()) * 4 + 1);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Cancelled a nanosecond before, with, and after the tick.
TEST_P(TickerTest, CancelledAtEveryMomentItLosesNoTick) {
  for (int64_t timeout = 1; timeout <= 25; ++timeout) {
    Bench bench(GetParam());
    auto body = [&]() -> Task<absl::Status> {
      Ticker ticker = Every(absl::Nanoseconds(10));
      int64_t ticks = 0;
      for (int i = 0; i < 50; ++i) {
        absl::StatusOr<int64_t> missed = co_await WithTimeout(absl::Nanoseconds(timeout), ticker.Next());
        if (missed.ok()) ticks += 1 + *missed;
      }
      ticks += 1 + co_await Try(ticker.Next());
      EXPECT_EQ(ticks, bench.Elapsed() / absl::Nanoseconds(10) + 1) << timeout;
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(body()), IsOk());
  }
}

TEST(TickerDeathTest, AwaitedByTwoEndsTheProcessAndNamesTheSecond) {
  auto body = [](TaskGroup& group) -> Task<absl::Status> {
    Ticker ticker = Every(absl::Hours(1));
    co_await Try(ticker.Next());
    auto wait = [&]() -> Task<absl::Status> {
      absl::StatusOr<int64_t> missed = co_await ticker.Next();
      co_return missed.status();
    };
    group.Spawn(wait());
    group.Spawn(wait());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        absl::Status status = world.Run(WithTaskGroup(body));
      },
      "The coroutine .*every_test.cc.* awaits a Ticker that another one waits for");
}

}  // namespace
}  // namespace proactor
