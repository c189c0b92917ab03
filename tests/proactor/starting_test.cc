// SPDX-License-Identifier: Apache-2.0
#include "proactor/starting.h"

#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"

namespace proactor::internal {
namespace {

Task<absl::Status> SucceedLater(Starting<int>& starting) {
  CancelScope scope(co_await CurrentContext());
  starting.Begin(scope);
  absl::Status slept = co_await InScope(scope, Sleep(absl::Seconds(1)));
  if (slept.ok()) {
    starting.Succeed(5);
  } else {
    starting.Fail(slept);
  }
  co_return absl::OkStatus();
}

TEST(StartingTest, TheStarterGetsWhatTheChildSaid) {
  SimulatedWorld world;
  auto body = [&]() -> Task<absl::StatusOr<int>> {
    Starting<int> starting(co_await CurrentContext());
    world.scheduler().Spawn(SucceedLater(starting));
    co_await starting.Wait();
    co_return starting.TakeResult();
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(5));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1));
}

TEST(StartingTest, ACancellationOfTheStarterEndsTheChild) {
  SimulatedWorld world;
  auto body = [&]() -> Task<absl::StatusOr<int>> {
    Starting<int> starting(co_await CurrentContext());
    world.scheduler().Spawn(SucceedLater(starting));
    co_await starting.Wait();
    co_return starting.TakeResult();
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Milliseconds(1), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(world.Elapsed(), absl::Milliseconds(1));
}

TEST(StartingTest, AChildThatSaysNothingFails) {
  SimulatedWorld world;
  auto body = [&]() -> Task<absl::Status> {
    Starting<void> starting(co_await CurrentContext());
    auto child = [&]() -> Task<absl::Status> {
      starting.Fail(absl::OkStatus());
      co_return absl::OkStatus();
    };
    world.scheduler().Spawn(child());
    co_await starting.Wait();
    co_return starting.TakeResult();
  };
  EXPECT_THAT(world.Run(body()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace proactor::internal
