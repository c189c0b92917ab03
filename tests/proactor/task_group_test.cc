// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_group.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/log.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Task<absl::Status> FailAfter(absl::Duration duration, absl::Status failure) {
  co_await Try(Sleep(duration));
  co_return failure;
}

TEST(TaskGroupTest, WaitsForEveryChild) {
  SimulatedWorld world;
  int done = 0;
  auto child = [&](absl::Duration duration) -> Task<absl::Status> {
    co_await Try(Sleep(duration));
    ++done;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    for (int i = 1; i <= 10; ++i) group.Spawn(child(absl::Seconds(i)));
    co_return 5;
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOkAndHolds(5));
  EXPECT_EQ(done, 10);
  EXPECT_EQ(world.Elapsed(), absl::Seconds(10));
}

TEST(TaskGroupTest, AnEmptyGroupEndsWithItsBody) {
  SimulatedWorld world;
  auto body = [](TaskGroup&) -> Task<absl::Status> { co_return absl::AlreadyExistsError("as the body says"); };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST(TaskGroupTest, TheFirstFailureCancelsTheRestAndIsReturned) {
  SimulatedWorld world;
  std::vector<absl::Status> others;
  auto other = [&]() -> Task<absl::Status> {
    absl::Status status = co_await Sleep(absl::Hours(1));
    others.push_back(status);
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(other());
    group.Spawn(FailAfter(absl::Seconds(2), absl::DataLossError("second")));
    group.Spawn(FailAfter(absl::Seconds(1), absl::AbortedError("first")));
    co_return co_await Sleep(absl::Hours(2));
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kAborted, "first"));
  EXPECT_THAT(others, ElementsAre(StatusIs(absl::StatusCode::kCancelled)));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1));
}

TEST(TaskGroupTest, AFailingBodyCancelsItsChildren) {
  SimulatedWorld world;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_await Try(Sleep(absl::Seconds(1)));
    co_return absl::NotFoundError("body");
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1));
}

std::vector<std::string>* logged = nullptr;

TEST(TaskGroupTest, AChildWhoseFailureIsLoggedFailsAlone) {
  std::vector<std::string> lines;
  logged = &lines;
  SetLogSink([](LogSeverity, std::string_view line) { logged->emplace_back(line); });
  SimulatedWorld world;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Seconds(1), absl::UnavailableError("reset by peer")),
                {.name = "connection", .on_failure = kLog});
    co_return co_await Sleep(absl::Seconds(5));
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  SetLogSink(nullptr);
  EXPECT_EQ(world.Elapsed(), absl::Seconds(5));
  EXPECT_THAT(lines, ElementsAre(HasSubstr("connection: UNAVAILABLE: reset by peer")));
}

TEST(TaskGroupTest, CancelEndsTheChildrenAndYieldsTheBodysResult) {
  SimulatedWorld world;
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel();
    co_return 3;
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOkAndHolds(3));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1));
}

TEST(TaskGroupTest, AFailureDuringCancelIsNotSwallowed) {
  SimulatedWorld world;
  auto child = []() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return absl::DataLossError("could not roll back");
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(TaskGroupTest, ADeadlineAroundItCancelsBodyAndChildren) {
  SimulatedWorld world;
  int cancelled = 0;
  auto child = [&]() -> Task<absl::Status> {
    absl::Status status = co_await Sleep(absl::Hours(1));
    cancelled += absl::IsCancelled(status);
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    group.Spawn(child());
    co_return co_await child();
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), WithTaskGroup(body))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(cancelled, 3);
}

// Invariant 10: a group always joins.
TEST(TaskGroupTest, JoinsEvenWhenCancelledAndAChildTakesItsTime) {
  SimulatedWorld world;
  bool ended = false;
  auto child = [&]() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    absl::Status status = co_await Shield(Sleep(absl::Seconds(10)));
    ended = true;
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    co_return co_await Sleep(absl::Hours(1));
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), WithTaskGroup(body))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(ended);
  EXPECT_EQ(world.Elapsed(), absl::Seconds(11));
}

TEST(TaskGroupTest, AChildRunsForTheFirstTimeAfterSpawnHasReturned) {
  SimulatedWorld world;
  std::vector<std::string> order;
  auto child = [&]() -> Task<absl::Status> {
    order.push_back("child");
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    order.push_back("spawned");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre("spawned", "child"));
}

TEST(TaskGroupTest, AChildMaySpawnASibling) {
  SimulatedWorld world;
  int generations = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    struct Family {
      static Task<absl::Status> Live(TaskGroup& group, int& generations) {
        co_await Try(Sleep(absl::Seconds(1)));
        if (++generations < 100) group.Spawn(Live(group, generations));
        co_return absl::OkStatus();
      }
    };
    group.Spawn(Family::Live(group, generations));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(generations, 100);
}

TEST(TaskGroupTest, TakesATaskOfAnyType) {
  SimulatedWorld world;
  int ran = 0;
  auto number = [&]() -> Task<int> { co_return ++ran; };
  auto nothing = [&]() -> Task<void> {
    ++ran;
    co_return;
  };
  auto owned = [&]() -> Task<absl::StatusOr<std::unique_ptr<int>>> { co_return std::make_unique<int>(++ran); };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(number());
    group.Spawn(nothing());
    group.Spawn(owned());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(ran, 3);
}

TEST(TaskGroupTest, ATemporaryBodyThatCapturesByReferenceWorks) {
  SimulatedWorld world;
  int children = 0;
  auto main = [&]() -> Task<absl::Status> {
    co_return co_await WithTaskGroup([&](TaskGroup& group) -> Task<absl::Status> {
      auto child = [&]() -> Task<absl::Status> {
        ++children;
        co_return absl::OkStatus();
      };
      group.Spawn(child());
      absl::Status status = co_await Sleep(absl::Seconds(1));
      co_await group.Join();
      co_return status;
    });
  };
  EXPECT_THAT(world.Run(main()), IsOk());
  EXPECT_EQ(children, 1);
}

TEST(TaskGroupTest, ACancellationTellsItsReason) {
  SimulatedWorld world;
  absl::Status slept;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto child = [&]() -> Task<absl::Status> {
      slept = co_await Sleep(absl::Hours(1));
      co_return slept;
    };
    group.Spawn(child());
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel("shutting down");
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(slept, StatusIs(absl::StatusCode::kCancelled, HasSubstr("shutting down")));
}

// What the body's locals hold is gone when the children run; the lambda is the child's own.
TEST(TaskGroupTest, AChildOwnsTheLambdaThatItIsMadeOf) {
  SimulatedWorld world;
  std::vector<std::string> said;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      auto word = std::make_unique<std::string>("word " + std::to_string(i));
      group.Spawn([&said, word = std::move(word)]() -> Task<absl::Status> {
        co_await Try(Sleep(absl::Seconds(1)));
        said.push_back(*word);
        co_return absl::OkStatus();
      });
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(said, ElementsAre("word 0", "word 1", "word 2"));
}

TEST(TaskGroupTest, CollectedFailuresCancelNobodyAndAreAllTold) {
  SimulatedWorld world;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Seconds(2), absl::AbortedError("no")), {.name = "slow"});
    group.Spawn(FailAfter(absl::Seconds(1), absl::DataLossError("lost")), {.name = "fast"});
    group.Spawn(FailAfter(absl::Seconds(3), absl::OkStatus()), {.name = "good"});
    co_return absl::NotFoundError("nothing to do");
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.collect_failures = true})),
              StatusIs(absl::StatusCode::kNotFound,
                       "3 failed: the body: NOT_FOUND: nothing to do; fast: DATA_LOSS: "
                       "lost; slow: ABORTED: no"));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(3));
}

TEST(TaskGroupTest, WithoutFailuresThereIsNothingToCollect) {
  SimulatedWorld world;
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel();
    co_return 3;
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.collect_failures = true})), IsOkAndHolds(3));
}

TEST(TaskGroupTest, ACollectingGroupThatIsCancelledFromOutsideSaysSo) {
  SimulatedWorld world;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTimeout(absl::Seconds(1), WithTaskGroup(body, {.collect_failures = true}))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// Counts how many run at the same time.
struct Crowd {
  int now = 0;
  int most = 0;
  std::vector<int> order;
  Task<absl::Status> Enter(int number, absl::Duration duration) {
    order.push_back(number);
    most = std::max(most, ++now);
    absl::Status slept = co_await Sleep(duration);
    --now;
    co_return slept;
  }
};

TEST(TaskGroupTest, NoMoreChildrenRunThanAllowedAndTheRestStartsInOrder) {
  SimulatedWorld world;
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) group.Spawn(crowd.Enter(i, absl::Seconds(1)));
    EXPECT_EQ(group.running(), 10);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.max_running = 3})), IsOk());
  EXPECT_EQ(crowd.most, 3);
  EXPECT_THAT(crowd.order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(4));
}

TEST(TaskGroupTest, ChildrenInLineStartCancelledInACancelledGroup) {
  SimulatedWorld world;
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) group.Spawn(crowd.Enter(i, absl::Hours(1)));
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.max_running = 2})), IsOk());
  EXPECT_EQ(crowd.most, 2);
  EXPECT_EQ(crowd.order.size(), 10u);
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1));
}

TEST(TaskGroupTest, ALoopWaitsForRoom) {
  SimulatedWorld world;
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) {
      co_await Try(group.WaitForRoom());
      group.Spawn(crowd.Enter(i, absl::Seconds(1)));
      EXPECT_LE(group.running(), 2);
    }
    co_await group.Join();
    co_return co_await group.WaitForRoom();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.max_running = 2})), IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(5));
}

// One that is woken and does not spawn must not keep the room from the others.
TEST(TaskGroupTest, AllWhoWaitForRoomGoOn) {
  SimulatedWorld world;
  int woken = 0;
  auto wait = [&](TaskGroup& group) -> Task<absl::Status> {
    absl::Status status = co_await group.WaitForRoom();
    woken += status.ok();
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Seconds(1), absl::OkStatus()));
    auto inner = [&](TaskGroup& waiters) -> Task<absl::Status> {
      for (int i = 0; i < 3; ++i) waiters.Spawn(wait(group));
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(inner);
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.max_running = 1})), IsOk());
  EXPECT_EQ(woken, 3);
}

TEST(TaskGroupTest, AWaitForRoomThatIsCancelledTakesNoRoom) {
  SimulatedWorld world;
  absl::Status waited;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Seconds(2), absl::OkStatus()));
    waited = co_await WithTimeout(absl::Seconds(1), group.WaitForRoom());
    co_await Try(group.WaitForRoom());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body, {.max_running = 1})), IsOk());
  EXPECT_THAT(waited, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(world.Elapsed(), absl::Seconds(2));
}

TEST(TaskGroupTest, AGroupWithoutALimitHasRoom) {
  SimulatedWorld world;
  auto body = [](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Seconds(2), absl::OkStatus()));
    co_return co_await group.WaitForRoom();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
}

// The memory stays ours here, so that AddressSanitizer lets us look.
TEST(TaskGroupDeathTest, UsedAfterItsEndEndsTheProcessWithASentence) {
  SimulatedWorld world;
  alignas(TaskGroup) static std::byte memory[sizeof(TaskGroup)];
  auto use = [&]() -> Task<absl::Status> {
    TaskGroup* group = new (memory) TaskGroup(co_await CurrentContext());
    group->~TaskGroup();
    std::launder(group)->Spawn(FailAfter(absl::Seconds(1), absl::OkStatus()), {.name = "late"});
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world.Run(use()), "A TaskGroup was used after its end \\(Spawn of late\\)");
}

}  // namespace
}  // namespace proactor
