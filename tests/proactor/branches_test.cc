// SPDX-License-Identifier: Apache-2.0
#include "proactor/branches.h"

#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/branch.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"

namespace proactor::internal {
namespace {

using Three = Branches<Task<int>, Task<void>, Task<absl::StatusOr<bool>>>;
static_assert(std::is_same_v<Three::Results, std::tuple<int, std::monostate, absl::StatusOr<bool>>>);
static_assert(std::is_same_v<Three::Values, std::tuple<int, std::monostate, bool>>);
static_assert(!Branches<Task<absl::Status>, Task<void>>::kHasValues);
static_assert(std::is_same_v<Branches<std::vector<Task<absl::StatusOr<bool>>>>::Values, std::vector<bool>>);

Task<int> Number(int number) { co_return number; }
Task<absl::Status> Fail(absl::Status failure) { co_return failure; }

TEST(BranchesTest, StartsInTheOrderOfItsTasks) {
  SimulatedWorld world;
  std::vector<int> order;
  auto note = [&](int number) -> Task<int> {
    order.push_back(number);
    co_return number;
  };
  auto body = [&]() -> Task<std::tuple<int, int, int>> {
    Task<int> a = note(1), b = note(2), c = note(3);
    Branches<Task<int>, Task<int>, Task<int>> branches(co_await CurrentContext(), CancelOn::kNothing, a, b, c);
    co_await branches.Join();
    co_return branches.TakeResults();
  };
  EXPECT_EQ(world.Run(body()), std::tuple(1, 2, 3));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(BranchesTest, TakesTheStatusOfTheFirst) {
  SimulatedWorld world;
  auto body = []() -> Task<absl::Status> {
    Task<int> a = Number(1);
    Task<absl::Status> b = Fail(absl::AbortedError("no"));
    Branches<Task<int>, Task<absl::Status>> branches(co_await CurrentContext(), CancelOn::kFailure, a, b);
    co_await branches.Join();
    co_return branches.TakeStatus();
  };
  EXPECT_THAT(world.Run(body()), StatusIs(absl::StatusCode::kAborted, "no"));
}

TEST(BranchesTest, AsManyAsAVectorHolds) {
  SimulatedWorld world;
  auto body = []() -> Task<std::vector<int>> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(Number(i));
    Branches<std::vector<Task<int>>> branches(co_await CurrentContext(), CancelOn::kFailure, tasks);
    co_await branches.Join();
    co_return branches.TakeValues();
  };
  EXPECT_EQ(world.Run(body()), (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(AsTasksTest, MakesTasksOfAVectorOfAwaitables) {
  SimulatedWorld world;
  std::vector<Task<absl::Status>> tasks = AsTasks(std::vector<SleepAwaitable>(2, Sleep(absl::Seconds(1))));
  EXPECT_THAT(world.Run(std::move(tasks[0])), IsOk());
  EXPECT_THAT(world.Run(std::move(tasks[1])), IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(2));
}

}  // namespace
}  // namespace proactor::internal
