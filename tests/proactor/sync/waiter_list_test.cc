// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/waiter_list.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Something to wait for, with nothing but the list.
struct Queue {
  WaiterList waiters;
  int withdrawn = 0;

  class PendingTurn : public Waiter {
   public:
    PendingTurn(PromiseBase& promise, const Context& context, Queue& queue) : Waiter(promise, context), queue_(queue) {}
    bool Start() { return ScopeCancelled() ? Settle(kCancelled) : WaitIn(queue_.waiters); }
    std::string Describe() const final { return "a turn"; }

   private:
    void Withdrawn() final { ++queue_.withdrawn; }
    Queue& queue_;
  };
  struct Awaitable {
    Queue& queue;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingTurn, kTry>(promise, context, queue);
    }
  };
  Awaitable Turn() { return {*this}; }
};

Task<absl::Status> Wait(Queue& queue) { co_return co_await queue.Turn(); }

class WaiterListTest : public ::testing::Test {
 protected:
  // Waits under its own name, and says how it ended.
  Task<absl::Status> Note(std::string name, absl::Duration timeout = absl::InfiniteDuration()) {
    absl::Status status = co_await WithTimeout(timeout, queue_.Turn());
    ended_.push_back(name + (status.ok() ? "" : " " + absl::StatusCodeToString(status.code())));
    co_return absl::OkStatus();
  }

  SimulatedWorld world_;
  Queue queue_;
  std::vector<std::string> ended_;
};

TEST_F(WaiterListTest, WakesWhoHasWaitedLongest) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (std::string name : {"a", "b", "c"}) group.Spawn(Note(name));
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_TRUE(queue_.waiters.WakeOne());
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(ended_, ElementsAre("a"));
    EXPECT_EQ(queue_.waiters.WakeAll(), 2);
    EXPECT_FALSE(queue_.waiters.WakeOne());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world_.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(queue_.withdrawn, 0);
}

TEST_F(WaiterListTest, ACancelledWaiterTakesNoWakeUpWithIt) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Note("a", absl::Milliseconds(2)));
    group.Spawn(Note("b"));
    co_await Try(Sleep(absl::Milliseconds(3)));
    EXPECT_EQ(queue_.withdrawn, 1);
    EXPECT_TRUE(queue_.waiters.WakeOne());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world_.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("a DEADLINE_EXCEEDED", "b"));
}

TEST_F(WaiterListTest, WhoHasBeenWokenCannotBeCancelled) {
  absl::Status status = absl::UnknownError("");
  auto waiter = [&]() -> Task<absl::Status> {
    status = co_await queue_.Turn();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(waiter());
    co_await Try(Sleep(absl::Milliseconds(1)));
    queue_.waiters.WakeOne();
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world_.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(queue_.withdrawn, 0);
}

TEST_F(WaiterListTest, UnderTryACancellationClimbs) {
  auto climber = [&]() -> Task<absl::Status> {
    co_await Try(queue_.Turn());
    ADD_FAILURE() << "it was cancelled";
    co_return absl::OkStatus();
  };
  absl::Status status = world_.Run(WithTimeout(absl::Milliseconds(1), climber()));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(WaiterListTest, ADumpSaysWhatIsWaitedFor) {
  world_.scheduler().Spawn(Wait(queue_), "patient");
  world_.scheduler().Turn(MonotonicTime::Past());
  EXPECT_THAT(world_.scheduler().Dump(), HasSubstr("waits for a turn"));
  world_.scheduler().Shutdown();
}

using WaiterListDeathTest = WaiterListTest;

TEST_F(WaiterListDeathTest, DestroyedWhileACoroutineWaits) {
  auto body = [&]() -> Task<absl::Status> {
    std::optional<Queue> queue(std::in_place);
    world_.scheduler().Spawn(Wait(*queue), "patient");
    co_await Try(Sleep(absl::Milliseconds(1)));
    queue.reset();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world_.Run(body()).IgnoreError(), "The coroutine .*Wait .* waits for a turn, which was destroyed");
}

TEST_F(WaiterListDeathTest, UsedByTwoSchedulers) {
  EXPECT_DEATH(
      {
        SimulatedWorld other;
        world_.scheduler().Spawn(Wait(queue_), "here");
        world_.scheduler().Turn(MonotonicTime::Past());
        other.scheduler().Spawn(Wait(queue_), "there");
        other.scheduler().Turn(MonotonicTime::Past());
      },
      "coroutines of another scheduler wait");
}

}  // namespace
}  // namespace proactor
