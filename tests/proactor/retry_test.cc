// SPDX-License-Identifier: Apache-2.0
#include "proactor/retry.h"

#include <limits>
#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

// Fails some times, and then yields how often it was asked.
struct Flaky {
  int failures;
  absl::Status failure = absl::UnavailableError("not now");
  int attempts = 0;
  Task<absl::StatusOr<int>> operator()() {
    if (++attempts <= failures) co_return failure;
    co_return attempts;
  }
};

class RetryTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(RetryTest);

TEST_P(RetryTest, TriesAgainUntilItSucceeds) {
  Flaky flaky{.failures = 2};
  EXPECT_THAT(Run(Retry(flaky, {.first_delay = absl::Microseconds(10)})), IsOkAndHolds(3));
}

TEST_P(RetryTest, WrittenInlineWithATimeoutForEachAttempt) {
  int attempts = 0;
  auto body = [&]() -> Task<absl::StatusOr<int>> {
    co_await Try(Retry(
        [&] {
          absl::Duration duration = ++attempts < 3 ? absl::Hours(1) : absl::ZeroDuration();
          return WithTimeout(absl::Microseconds(10), Sleep(duration));
        },
        {.first_delay = absl::Microseconds(10)}));
    co_return attempts;
  };
  EXPECT_THAT(Run(body()), IsOkAndHolds(3));
}

TEST_P(RetryTest, GivesUpAfterSoManyAttempts) {
  Flaky flaky{.failures = 100};
  EXPECT_THAT(Run(Retry(flaky, {.attempts = 5, .first_delay = absl::Microseconds(1)})),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(flaky.attempts, 5);
  EXPECT_THAT(Run(Retry(flaky, {.attempts = 0})), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(flaky.attempts, 6);
}

TEST_P(RetryTest, AFailureThatWillNotPassIsTheResultAtOnce) {
  Flaky flaky{.failures = 100, .failure = absl::NotFoundError("no such page")};
  EXPECT_THAT(Run(Retry(flaky)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(flaky.attempts, 1);
  EXPECT_THAT(Run(Retry(flaky, {.attempts = 2,
                                .first_delay = absl::Microseconds(1),
                                .may_pass = [](const absl::Status& failure) { return absl::IsNotFound(failure); }})),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(flaky.attempts, 3);
}

class RetryInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(RetryInTimeTest);

TEST_P(RetryInTimeTest, DelaysGrowUpToTheGreatest) {
  Flaky flaky{.failures = 5};
  EXPECT_THAT(
      Run(Retry(flaky, {.attempts = 9, .first_delay = absl::Seconds(1), .max_delay = absl::Seconds(5), .jitter = 0})),
      IsOkAndHolds(6));
  EXPECT_EQ(Elapsed(), absl::Seconds(1 + 2 + 4 + 5 + 5));
}

// However often it was tried before, the next delay is found at once.
TEST_P(RetryInTimeTest, ADelayThatDoesNotGrowCanBeUsedForEver) {
  constexpr int kForEver = std::numeric_limits<int>::max();
  auto body = [&]() -> Task<absl::Status> {
    Loop& loop = *(co_await CurrentContext()).loop;
    RetryOptions options = {.attempts = kForEver, .first_delay = absl::Seconds(1), .factor = 1, .jitter = 0};
    EXPECT_EQ(internal::DelayAfter(kForEver, options, loop), absl::Seconds(1));
    options.factor = .5;
    EXPECT_EQ(internal::DelayAfter(3, options, loop), absl::Milliseconds(250));
    EXPECT_LT(internal::DelayAfter(kForEver, options, loop), absl::Nanoseconds(1));
    options.factor = 2;
    EXPECT_EQ(internal::DelayAfter(kForEver, options, loop), options.max_delay);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(RetryInTimeTest, JitterShortensADelayByItsPartAndTheSeedDecidesHowMuch) {
  std::set<absl::Duration> delays;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    absl::Duration elapsed[2];
    for (absl::Duration& each : elapsed) {
      Bench bench(GetParam(), seed);
      Flaky flaky{.failures = 1};
      EXPECT_THAT(bench.Run(Retry(flaky, {.first_delay = absl::Seconds(1), .jitter = .25})), IsOkAndHolds(2));
      each = bench.Elapsed();
    }
    EXPECT_EQ(elapsed[0], elapsed[1]);
    EXPECT_GE(elapsed[0], absl::Milliseconds(750));
    EXPECT_LE(elapsed[0], absl::Seconds(1));
    delays.insert(elapsed[0]);
  }
  EXPECT_GT(delays.size(), 90u);
  EXPECT_LT(*delays.begin(), absl::Milliseconds(800));
  EXPECT_GT(*delays.rbegin(), absl::Milliseconds(950));
}

TEST_P(RetryInTimeTest, DoesNotSleepPastTheDeadline) {
  Flaky flaky{.failures = 100};
  EXPECT_THAT(
      Run(WithTimeout(absl::Seconds(5), Retry(flaky, {.attempts = 9, .first_delay = absl::Seconds(1), .jitter = 0}))),
      StatusIs(absl::StatusCode::kUnavailable, "not now"));
  EXPECT_EQ(flaky.attempts, 3);
  EXPECT_EQ(Elapsed(), absl::Seconds(1 + 2));
}

TEST_P(RetryInTimeTest, ACancellationEndsAPause) {
  Flaky flaky{.failures = 100};
  absl::StatusOr<int> result = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn([&]() -> Task<absl::Status> {
      result = co_await Retry(flaky, {.first_delay = absl::Hours(1), .max_delay = absl::Hours(1), .jitter = 0});
      co_return absl::OkStatus();
    });
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
}

TEST(MayPassTest, WhatIsUnavailableOrLateMayPass) {
  EXPECT_TRUE(MayPass(absl::UnavailableError("")));
  EXPECT_TRUE(MayPass(absl::DeadlineExceededError("")));
  EXPECT_FALSE(MayPass(absl::CancelledError("")));
  EXPECT_FALSE(MayPass(absl::InvalidArgumentError("")));
}

}  // namespace
}  // namespace proactor
