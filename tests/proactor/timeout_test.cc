// SPDX-License-Identifier: Apache-2.0
#include "proactor/timeout.h"

#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"

namespace proactor {
namespace {

Task<absl::StatusOr<int>> AnswerAfter(absl::Duration duration) {
  co_await Try(Sleep(duration));
  co_return 42;
}

TEST(WithTimeoutTest, AResultInTimePassesThrough) {
  SimulatedWorld world;
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(5), AnswerAfter(absl::Seconds(3)))), IsOkAndHolds(42));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(3));
}

TEST(WithTimeoutTest, TooLateIsDeadlineExceeded) {
  SimulatedWorld world;
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(2), AnswerAfter(absl::Seconds(3)))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(2));
}

TEST(WithTimeoutTest, AnOuterTimeoutIsNotTakenForTheInnerOne) {
  SimulatedWorld world;
  absl::Status inner_status;
  auto inner = [&]() -> Task<absl::Status> {
    inner_status = co_await WithTimeout(absl::Hours(1), Sleep(absl::Hours(2)));
    co_return inner_status;
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), inner())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(inner_status, StatusIs(absl::StatusCode::kCancelled));
}

TEST(WithTimeoutTest, AResultDeliveredWhileBeingCancelledIsKept) {
  SimulatedWorld world;
  auto stubborn = []() -> Task<absl::StatusOr<int>> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return 7;
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), stubborn())), IsOkAndHolds(7));
}

TEST(WithTimeoutTest, AnotherFailureAfterTheDeadlineIsReportedAsItIs) {
  SimulatedWorld world;
  auto failing = []() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return absl::DataLossError("rollback failed");
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), failing())), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(WithTimeoutTest, AResultThatCannotFailBecomesOneThatCan) {
  SimulatedWorld world;
  auto number = []() -> Task<int> { co_return 3; };
  auto nothing = []() -> Task<void> { co_return; };
  absl::StatusOr<int> result = world.Run(WithTimeout(absl::Seconds(1), number()));
  EXPECT_THAT(result, IsOkAndHolds(3));
  absl::Status status = world.Run(WithTimeout(absl::Seconds(1), nothing()));
  EXPECT_THAT(status, IsOk());
}

TEST(WithTimeoutTest, AnUnexpiredTimeoutLeavesNoTimerBehind) {
  SimulatedWorld world;
  auto body = []() -> Task<absl::Status> {
    for (int i = 0; i < 1000; ++i) {
      absl::Status status = co_await WithTimeout(absl::Hours(1), Sleep(absl::ZeroDuration()));
      co_await Try(std::move(status));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(body()), IsOk());
  EXPECT_EQ(world.scheduler().counters().timers_fired.value(), 0);
  EXPECT_EQ(world.Elapsed(), absl::ZeroDuration());
}

TEST(WithDeadlineTest, ATimeOfDayIsADeadline) {
  SimulatedWorld world;
  absl::Time deadline = world.scheduler().proactor().WallTime() + absl::Seconds(90);
  EXPECT_THAT(world.Run(WithDeadline(deadline, AnswerAfter(absl::Hours(1)))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(90));
}

TEST(ShieldTest, RunsToItsEndInACancelledScope) {
  SimulatedWorld world;
  absl::Status cleaned_up;
  auto body = [&]() -> Task<absl::Status> {
    absl::Status status = co_await Sleep(absl::Hours(1));
    cleaned_up = co_await Shield(Sleep(absl::Seconds(2)));
    co_return status;
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(cleaned_up, IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(3));
}

TEST(WithCancelScopeTest, TheBodyCanCancelItself) {
  SimulatedWorld world;
  auto body = [](CancelScope& scope) -> Task<absl::StatusOr<int>> {
    scope.SetTimeout(absl::Seconds(4));
    co_await Try(Sleep(absl::Hours(1)));
    co_return 1;
  };
  EXPECT_THAT(world.Run(WithCancelScope(body)), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(4));
}

}  // namespace
}  // namespace proactor
