// SPDX-License-Identifier: Apache-2.0
#include "proactor/branch.h"

#include <variant>

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"

namespace proactor::internal {
namespace {

Task<absl::Status> EndAfter(absl::Duration duration, absl::Status status = absl::OkStatus()) {
  co_await Try(Sleep(duration));
  co_return status;
}

struct Outcome {
  size_t first = 9;
  bool decided = false;
  absl::Status left;
  absl::Status right;
};

Outcome RunTwo(CancelOn cancel_on, absl::Status one_ends_with) {
  SimulatedWorld world;
  Outcome outcome;
  auto body = [&]() -> Task<void> {
    Fork fork(co_await CurrentContext(), cancel_on);
    Branch<absl::Status> left(fork), right(fork);
    left.Start(0, EndAfter(absl::Seconds(2)));
    right.Start(1, EndAfter(absl::Seconds(1), one_ends_with));
    co_await fork.Join();
    outcome = {fork.first(), fork.decided(), left.TakeStatus(), right.TakeStatus()};
  };
  world.Run(body());
  return outcome;
}

TEST(ForkTest, AFailureEndsTheOthersIfItIsTo) {
  Outcome outcome = RunTwo(CancelOn::kFailure, absl::AbortedError("no"));
  EXPECT_TRUE(outcome.decided);
  EXPECT_EQ(outcome.first, 1u);
  EXPECT_THAT(outcome.left, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(outcome.right, StatusIs(absl::StatusCode::kAborted));
}

TEST(ForkTest, ASuccessEndsTheOthersIfItIsTo) {
  Outcome outcome = RunTwo(CancelOn::kSuccess, absl::OkStatus());
  EXPECT_TRUE(outcome.decided);
  EXPECT_EQ(outcome.first, 1u);
  EXPECT_THAT(outcome.left, StatusIs(absl::StatusCode::kCancelled));
}

TEST(ForkTest, WhoEndsOtherwiseEndsNobodyAndIsFirstOnlyIfNoneDecides) {
  Outcome outcome = RunTwo(CancelOn::kSuccess, absl::AbortedError("no"));
  EXPECT_TRUE(outcome.decided);
  EXPECT_EQ(outcome.first, 0u);
  EXPECT_THAT(outcome.left, IsOk());

  outcome = RunTwo(CancelOn::kNothing, absl::AbortedError("no"));
  EXPECT_FALSE(outcome.decided);
  EXPECT_EQ(outcome.first, 1u);
  EXPECT_THAT(outcome.left, IsOk());
}

TEST(BranchTest, KeepsAResultOfAnyType) {
  SimulatedWorld world;
  auto body = []() -> Task<absl::StatusOr<int>> {
    Fork fork(co_await CurrentContext(), CancelOn::kFailure);
    auto number = []() -> Task<int> { co_return 5; };
    auto nothing = []() -> Task<void> { co_return; };
    Branch<int> left(fork);
    Branch<void> right(fork);
    left.Start(0, number());
    right.Start(1, nothing());
    co_await fork.Join();
    if (right.result() != std::monostate()) co_return absl::InternalError("nothing is something");
    co_return left.result();
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(5));
}

TEST(AsTaskTest, MakesATaskOfAnyAwaitable) {
  SimulatedWorld world;
  EXPECT_THAT(world.Run(AsTask(Sleep(absl::Seconds(1)))), IsOk());
  EXPECT_THAT(world.Run(AsTask(EndAfter(absl::Seconds(1)))), IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(2));
}

}  // namespace
}  // namespace proactor::internal
