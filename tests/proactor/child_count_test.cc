// SPDX-License-Identifier: Apache-2.0
#include "proactor/child_count.h"

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"

namespace proactor::internal {
namespace {

TEST(ChildCountTest, JoinsAtOnceWithoutChildren) {
  SimulatedWorld world;
  ChildCount count;
  auto body = [&]() -> Task<void> { co_await count.Join(); };
  world.Run(body());
}

TEST(ChildCountTest, JoinWaitsForTheLast) {
  SimulatedWorld world;
  ChildCount count;
  auto child = [&](absl::Duration duration) -> Task<absl::Status> {
    absl::Status status = co_await Sleep(duration);
    count.Remove((co_await CurrentContext()).loop->ready_queue);
    co_return status;
  };
  for (int i = 1; i <= 3; ++i) {
    count.Add();
    world.scheduler().Spawn(child(absl::Seconds(i)));
  }
  EXPECT_EQ(count.running(), 3);
  auto body = [&]() -> Task<void> { co_await count.Join(); };
  world.Run(body());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(3));
  world.scheduler().Shutdown();
}

// Between the end of the last child and the turn of who joins.
TEST(ChildCountTest, AChildThatIsStartedInTheLastMomentIsWaitedForToo) {
  SimulatedWorld world;
  ChildCount count;
  bool joined = false;
  count.Add();
  auto body = [&]() -> Task<absl::Status> {
    co_await count.Join();
    joined = true;
    co_return absl::OkStatus();
  };
  Scheduler& scheduler = world.scheduler();
  scheduler.Spawn(body());
  scheduler.Turn(MonotonicTime::Past());
  auto restart = [&]() -> Task<absl::Status> {
    ReadyQueue& ready_queue = (co_await CurrentContext()).loop->ready_queue;
    count.Remove(ready_queue);
    count.Add();
    co_await Sleep(absl::ZeroDuration());
    EXPECT_FALSE(joined);
    count.Remove(ready_queue);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(restart()), IsOk());
  scheduler.Turn(MonotonicTime::Past());
  EXPECT_TRUE(joined);
  scheduler.Shutdown();
}

TEST(ChildCountDeathTest, TwoWhoJoinEndTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        ChildCount count;
        count.Add();
        auto join = [&]() -> Task<absl::Status> {
          co_await count.Join();
          co_return absl::OkStatus();
        };
        world.scheduler().Spawn(join());
        world.scheduler().Spawn(join());
        world.scheduler().Turn(MonotonicTime::Past());
      },
      "The coroutine .* joins a group that another coroutine is joining already");
}

}  // namespace
}  // namespace proactor::internal
