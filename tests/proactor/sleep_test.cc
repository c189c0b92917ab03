// SPDX-License-Identifier: Apache-2.0
#include "proactor/sleep.h"

#include <vector>

#include "gtest/gtest.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

class SleepTest : public BackendTest {};

TEST_P(SleepTest, IsNeverEarly) {
  auto body = [&]() -> Task<absl::Status> {
    for (absl::Duration duration : {absl::Nanoseconds(1), absl::Microseconds(50), absl::Milliseconds(3),
                                    absl::Microseconds(1500) + absl::Nanoseconds(1) / 4}) {
      MonotonicTime start = scheduler().Now();
      co_await Try(Sleep(duration));
      if (scheduler().Now() - start < duration) co_return absl::InternalError(absl::FormatDuration(duration));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SleepTest, ThoseWithEarlierDeadlinesWakeFirst) {
  std::vector<int> order;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    const MonotonicTime start = scheduler().Now();
    auto sleeper = [&](int milliseconds) -> Task<absl::Status> {
      co_await Try(SleepUntil(start + absl::Milliseconds(milliseconds)));
      order.push_back(milliseconds);
      co_return absl::OkStatus();
    };
    for (int milliseconds : {30, 10, 20, 0, 40}) group.Spawn(sleeper(milliseconds));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(0, 10, 20, 30, 40));
}

TEST_P(SleepTest, CostsNoOperationOfTheProactor) {
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) co_await Try(Sleep(absl::Microseconds(100)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counters().operations.value(), 0);
  EXPECT_GE(counters().timers_fired.value(), 10);
}

TEST_P(SleepTest, ZeroGivesTheOthersATurn) {
  std::vector<int> order;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto counter = [&](int id) -> Task<absl::Status> {
      for (int i = 0; i < 3; ++i) {
        order.push_back(id);
        co_await Try(Sleep(absl::ZeroDuration()));
      }
      co_return absl::OkStatus();
    };
    group.Spawn(counter(1));
    group.Spawn(counter(2));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2, 1, 2, 1, 2));
}

TEST_P(SleepTest, UntilATimeIsNeverEarly) {
  auto body = [&]() -> Task<absl::Status> {
    const Clock& clock = (co_await CurrentContext()).loop->clock;
    MonotonicTime deadline = clock.Now() + absl::Milliseconds(2);
    co_await Try(SleepUntil(deadline));
    EXPECT_GE(clock.Now(), deadline);
    // A time of day becomes a duration when it is awaited.
    MonotonicTime start = clock.Now();
    absl::Time time = clock.WallTime() + absl::Milliseconds(5);
    co_await Try(SleepUntil(time));
    EXPECT_GT(clock.Now() - start, absl::Milliseconds(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SleepTest, UntilATimeThatHasPassedGivesTheOthersATurn) {
  std::vector<int> order;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    const Clock& clock = (co_await CurrentContext()).loop->clock;
    auto other = [&]() -> Task<absl::Status> {
      order.push_back(1);
      co_return absl::OkStatus();
    };
    group.Spawn(other());
    co_await Try(SleepUntil(clock.Now()));
    order.push_back(2);
    for (MonotonicTime time : {MonotonicTime::Past(), MonotonicTime{}}) co_await Try(SleepUntil(time));
    for (absl::Time time : {absl::InfinitePast(), absl::UnixEpoch()}) co_await Try(SleepUntil(time));
    for (absl::Duration duration : {-absl::InfiniteDuration(), absl::Seconds(-1)}) co_await Try(Sleep(duration));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_P(SleepTest, WhatIsInfiniteLastsUntilItIsCancelled) {
  auto body = [&]() -> Task<absl::Status> {
    absl::Status status = co_await WithTimeout(absl::Milliseconds(1), Sleep(absl::InfiniteDuration()));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    status = co_await WithTimeout(absl::Milliseconds(1), SleepUntil(absl::InfiniteFuture()));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    status = co_await WithTimeout(absl::Milliseconds(1), SleepUntil(MonotonicTime::Infinite()));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Two sleep until the same moment; the first to go on cancels the other, which has nothing to be cancelled any more.
TEST_P(SleepTest, OneThatIsOverIsNotCancelled) {
  Stoppable other;
  absl::Status slept = absl::UnknownError("");
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    MonotonicTime moment = scheduler().Now() + absl::Milliseconds(1);
    auto first = [&]() -> Task<absl::Status> {
      co_await Try(SleepUntil(moment));
      other.Stop();
      co_return absl::OkStatus();
    };
    auto second = [&]() -> Task<absl::Status> {
      slept = co_await other.Await(SleepUntil(moment));
      co_return absl::OkStatus();
    };
    group.Spawn(first());
    group.Spawn(second());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(slept, IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(SleepTest);

}  // namespace
}  // namespace proactor
