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
#include "proactor/sync/event.h"
#include "proactor/task.h"
#include "proactor/task_record.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TaskGroupTest : public BackendTest {
 protected:
  // How long it took: exactly in a simulation; elsewhere nothing may be early, and nobody has time for an hour.
  void ExpectElapsed(absl::Duration expected) {
    absl::Duration elapsed = scheduler().Now() - start_;
    if (simulated()) {
      EXPECT_EQ(elapsed, expected);
    } else {
      EXPECT_GE(elapsed, expected);
    }
  }

 private:
  const MonotonicTime start_ = scheduler().Now();
};

Task<absl::Status> FailAt(MonotonicTime time, absl::Status failure) {
  co_await Try(SleepUntil(time));
  co_return failure;
}

Task<absl::Status> FailAfter(absl::Duration duration, absl::Status failure) {
  co_await Try(Sleep(duration));
  co_return failure;
}

TEST_P(TaskGroupTest, WaitsForEveryChild) {
  int done = 0;
  auto child = [&](absl::Duration duration) -> Task<absl::Status> {
    co_await Try(Sleep(duration));
    ++done;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    for (int i = 1; i <= 10; ++i) group.Spawn(child(absl::Milliseconds(i)));
    co_return 5;
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOkAndHolds(5));
  EXPECT_EQ(done, 10);
  ExpectElapsed(absl::Milliseconds(10));
}

TEST_P(TaskGroupTest, AnEmptyGroupEndsWithItsBody) {
  auto body = [](TaskGroup&) -> Task<absl::Status> { co_return absl::AlreadyExistsError("as the body says"); };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_P(TaskGroupTest, TheFirstFailureCancelsTheRestAndIsReturned) {
  std::vector<absl::Status> others;
  auto other = [&]() -> Task<absl::Status> {
    absl::Status status = co_await Sleep(absl::Hours(1));
    others.push_back(status);
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(other());
    group.Spawn(FailAfter(absl::Hours(1), absl::DataLossError("second")));
    group.Spawn(FailAfter(absl::Milliseconds(1), absl::AbortedError("first")));
    co_return co_await Sleep(absl::Hours(2));
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kAborted, "first"));
  EXPECT_THAT(others, ElementsAre(StatusIs(absl::StatusCode::kCancelled)));
  ExpectElapsed(absl::Milliseconds(1));
}

TEST_P(TaskGroupTest, AFailingBodyCancelsItsChildren) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::NotFoundError("body");
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kNotFound));
  ExpectElapsed(absl::Milliseconds(1));
}

std::vector<std::string>* logged = nullptr;

TEST_P(TaskGroupTest, AChildWhoseFailureIsLoggedFailsAlone) {
  std::vector<std::string> lines;
  logged = &lines;
  SetLogSink([](LogSeverity, std::string_view line) { logged->emplace_back(line); });
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Milliseconds(1), absl::UnavailableError("reset by peer")),
                {.name = "connection", .on_failure = kLog});
    co_return co_await Sleep(absl::Milliseconds(5));
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  SetLogSink(nullptr);
  ExpectElapsed(absl::Milliseconds(5));
  EXPECT_THAT(lines, ElementsAre(HasSubstr("connection: UNAVAILABLE: reset by peer")));
}

TEST_P(TaskGroupTest, CancelEndsTheChildrenAndYieldsTheBodysResult) {
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_await Try(Sleep(absl::Milliseconds(1)));
    group.Cancel();
    co_return 3;
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOkAndHolds(3));
  ExpectElapsed(absl::Milliseconds(1));
}

TEST_P(TaskGroupTest, AFailureDuringCancelIsNotSwallowed) {
  auto child = []() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return absl::DataLossError("could not roll back");
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    co_await Try(Sleep(absl::Milliseconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_P(TaskGroupTest, ADeadlineAroundItCancelsBodyAndChildren) {
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
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), WithTaskGroup(body))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(cancelled, 3);
}

// Invariant 10: a group always joins.
TEST_P(TaskGroupTest, JoinsEvenWhenCancelledAndAChildTakesItsTime) {
  bool ended = false;
  auto child = [&]() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    absl::Status status = co_await Shield(Sleep(absl::Milliseconds(10)));
    ended = true;
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    co_return co_await Sleep(absl::Hours(1));
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), WithTaskGroup(body))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(ended);
  ExpectElapsed(absl::Milliseconds(11));
}

TEST_P(TaskGroupTest, AChildRunsForTheFirstTimeAfterSpawnHasReturned) {
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
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre("spawned", "child"));
}

TEST_P(TaskGroupTest, AChildMaySpawnASibling) {
  int generations = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    struct Family {
      static Task<absl::Status> Live(TaskGroup& group, int& generations) {
        co_await Try(Sleep(absl::Milliseconds(1)));
        if (++generations < 100) group.Spawn(Live(group, generations));
        co_return absl::OkStatus();
      }
    };
    group.Spawn(Family::Live(group, generations));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(generations, 100);
}

TEST_P(TaskGroupTest, TakesATaskOfAnyType) {
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
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(ran, 3);
}

TEST_P(TaskGroupTest, ATemporaryBodyThatCapturesByReferenceWorks) {
  int children = 0;
  auto main = [&]() -> Task<absl::Status> {
    co_return co_await WithTaskGroup([&](TaskGroup& group) -> Task<absl::Status> {
      auto child = [&]() -> Task<absl::Status> {
        ++children;
        co_return absl::OkStatus();
      };
      group.Spawn(child());
      absl::Status status = co_await Sleep(absl::Milliseconds(1));
      co_await group.Join();
      co_return status;
    });
  };
  EXPECT_THAT(Run(main()), IsOk());
  EXPECT_EQ(children, 1);
}

// The group keeps the record of one child for the next.
TEST_P(TaskGroupTest, AChildInheritsNothingFromTheOneBeforeIt) {
  std::vector<std::string> names;
  auto child = [&](absl::Status result) -> Task<absl::Status> {
    names.emplace_back(co_await CurrentTaskName());
    co_return result;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      std::string made = "made at run time, number " + std::to_string(i);
      group.Spawn(child(absl::CancelledError("of no concern")), {.name = made, .on_failure = kLog});
      co_await group.Join();
      group.Spawn(child(absl::OkStatus()));
      co_await group.Join();
    }
    group.Spawn(child(absl::DataLossError("its own")), {.name = "last"});
    co_await group.Join();
    EXPECT_TRUE(group.cancelled());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(names, ElementsAre("made at run time, number 0", "", "made at run time, number 1", "",
                                 "made at run time, number 2", "", "last"));
}

TEST_P(TaskGroupTest, ACancellationTellsItsReason) {
  absl::Status slept;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto child = [&]() -> Task<absl::Status> {
      slept = co_await Sleep(absl::Hours(1));
      co_return slept;
    };
    group.Spawn(child());
    co_await Try(Sleep(absl::Milliseconds(1)));
    group.Cancel("shutting down");
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(slept, StatusIs(absl::StatusCode::kCancelled, HasSubstr("shutting down")));
}

// What the body's locals hold is gone when the children run; the lambda is the child's own.
TEST_P(TaskGroupTest, AChildOwnsTheLambdaThatItIsMadeOf) {
  std::vector<std::string> said;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      auto word = std::make_unique<std::string>("word " + std::to_string(i));
      group.Spawn([&said, word = std::move(word)]() -> Task<absl::Status> {
        co_await Try(Sleep(absl::Milliseconds(1)));
        said.push_back(*word);
        co_return absl::OkStatus();
      });
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(said, ElementsAre("word 0", "word 1", "word 2"));
}

TEST_P(TaskGroupTest, CollectedFailuresCancelNobodyAndAreAllTold) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    const MonotonicTime now = scheduler().Now();
    group.Spawn(FailAt(now + absl::Milliseconds(2), absl::AbortedError("no")), {.name = "slow"});
    group.Spawn(FailAt(now + absl::Milliseconds(1), absl::DataLossError("lost")), {.name = "fast"});
    group.Spawn(FailAfter(absl::Milliseconds(3), absl::OkStatus()), {.name = "good"});
    co_return absl::NotFoundError("nothing to do");
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.collect_failures = true})),
              StatusIs(absl::StatusCode::kNotFound,
                       "3 failed: the body: NOT_FOUND: nothing to do; fast: DATA_LOSS: "
                       "lost; slow: ABORTED: no"));
  ExpectElapsed(absl::Milliseconds(3));
}

TEST_P(TaskGroupTest, WithoutFailuresThereIsNothingToCollect) {
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_await Try(Sleep(absl::Milliseconds(1)));
    group.Cancel();
    co_return 3;
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.collect_failures = true})), IsOkAndHolds(3));
}

TEST_P(TaskGroupTest, ACollectingGroupThatIsCancelledFromOutsideSaysSo) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Hours(1), absl::OkStatus()));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), WithTaskGroup(body, {.collect_failures = true}))),
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

TEST_P(TaskGroupTest, NoMoreChildrenRunThanAllowedAndTheRestStartsInOrder) {
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) group.Spawn(crowd.Enter(i, absl::Milliseconds(1)));
    EXPECT_EQ(group.running(), 10);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 3})), IsOk());
  EXPECT_EQ(crowd.most, 3);
  EXPECT_THAT(crowd.order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  ExpectElapsed(absl::Milliseconds(4));
}

TEST_P(TaskGroupTest, ChildrenInLineStartCancelledInACancelledGroup) {
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) group.Spawn(crowd.Enter(i, absl::Hours(1)));
    co_await Try(Sleep(absl::Milliseconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 2})), IsOk());
  EXPECT_EQ(crowd.most, 2);
  EXPECT_EQ(crowd.order.size(), 10u);
  ExpectElapsed(absl::Milliseconds(1));
}

TEST_P(TaskGroupTest, ALoopWaitsForRoom) {
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) {
      co_await Try(group.WaitForRoom());
      group.Spawn(crowd.Enter(i, absl::Milliseconds(1)));
      EXPECT_LE(group.running(), 2);
    }
    co_await group.Join();
    co_return co_await group.WaitForRoom();
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 2})), IsOk());
  ExpectElapsed(absl::Milliseconds(5));
}

// One that is woken and does not spawn must not keep the room from the others.
TEST_P(TaskGroupTest, AllWhoWaitForRoomGoOn) {
  int woken = 0;
  auto wait = [&](TaskGroup& group) -> Task<absl::Status> {
    absl::Status status = co_await group.WaitForRoom();
    woken += status.ok();
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Milliseconds(1), absl::OkStatus()));
    auto inner = [&](TaskGroup& waiters) -> Task<absl::Status> {
      for (int i = 0; i < 3; ++i) waiters.Spawn(wait(group));
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(inner);
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 1})), IsOk());
  EXPECT_EQ(woken, 3);
}

// Two who accept, say, into one group: both wait for the same place, and one gets it.
TEST_P(TaskGroupTest, SeveralLoopsThatWaitForRoomKeepToTheLimit) {
  Crowd crowd;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto loop = [&](int first) -> Task<absl::Status> {
      for (int i = first; i < first + 5; ++i) {
        co_await Try(group.WaitForRoom());
        EXPECT_LT(group.running(), 2);
        group.Spawn(crowd.Enter(i, absl::Milliseconds(1)));
      }
      co_return absl::OkStatus();
    };
    auto loops = [&](TaskGroup& both) -> Task<absl::Status> {
      for (int first : {0, 10, 20}) both.Spawn(loop(first));
      co_await both.Join();
      co_return absl::OkStatus();
    };
    absl::Status status = co_await WithTaskGroup(loops);
    co_await group.Join();
    co_return status;
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 2})), IsOk());
  EXPECT_EQ(crowd.order.size(), 15u);
  EXPECT_EQ(crowd.most, 2);
}

TEST_P(TaskGroupTest, CancelledWhileItsBodyWaitsForRoom) {
  Crowd crowd;
  absl::Status waited;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto cancel = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(1)));
      group.Cancel("no more");
      co_return absl::OkStatus();
    };
    group.Spawn(cancel());
    group.Spawn(crowd.Enter(1, absl::Hours(1)));
    group.Spawn(crowd.Enter(2, absl::Hours(1)));  // In line.
    waited = co_await group.WaitForRoom();
    group.Spawn(crowd.Enter(3, absl::Hours(1)));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 2})), IsOk());
  EXPECT_THAT(waited, StatusIs(absl::StatusCode::kCancelled, HasSubstr("no more")));
  EXPECT_THAT(crowd.order, ElementsAre(1, 2, 3));
  EXPECT_EQ(crowd.now, 0);
}

TEST_P(TaskGroupTest, AWaitForRoomThatIsCancelledTakesNoRoom) {
  absl::Status waited;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Event may_end;
    auto child = [&]() -> Task<absl::Status> { co_return co_await may_end.Wait(); };
    group.Spawn(child());
    waited = co_await WithTimeout(absl::Milliseconds(1), group.WaitForRoom());
    may_end.Set();
    co_await Try(group.WaitForRoom());
    co_await Try(group.Join());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 1})), IsOk());
  EXPECT_THAT(waited, StatusIs(absl::StatusCode::kDeadlineExceeded));
  ExpectElapsed(absl::Milliseconds(1));
}

TEST_P(TaskGroupTest, AGroupWithoutALimitHasRoom) {
  auto body = [](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(FailAfter(absl::Milliseconds(2), absl::OkStatus()));
    co_return co_await group.WaitForRoom();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(TaskGroupTest);

// The memory stays ours here, so that AddressSanitizer lets us look.
// It names what was to be spawned, or who uses the group.
TEST(TaskGroupDeathTest, UsedAfterItsEndEndsTheProcessWithASentence) {
  SimulatedWorld world;
  alignas(TaskGroup) static std::byte memory[sizeof(TaskGroup)];
  auto late_user = [](void (*use)(TaskGroup & group)) -> Task<absl::Status> {
    TaskGroup* group = new (memory) TaskGroup(co_await CurrentContext());
    group->~TaskGroup();
    use(*std::launder(group));
    co_return absl::OkStatus();
  };
  auto spawn_named = [](TaskGroup& group) {
    group.Spawn(FailAfter(absl::Seconds(1), absl::OkStatus()), {.name = "late"});
  };
  auto spawn = [](TaskGroup& group) { group.Spawn(FailAfter(absl::Seconds(1), absl::OkStatus())); };
  constexpr char kSpawnNamed[] = "used after its end .Spawn of late, .*FailAfter .task_group_test.cc:[0-9]+..: it";
  constexpr char kSpawn[] = "used after its end .Spawn of .*FailAfter .task_group_test.cc:[0-9]+..: it";
  EXPECT_DEATH(world.Run(late_user(spawn_named)), kSpawnNamed);
  EXPECT_DEATH(world.Run(late_user(spawn)), kSpawn);

  auto join = [](TaskGroup& group) { static_cast<void>(group.Join()); };
  auto cancel = [](TaskGroup& group) { group.Cancel(); };
  EXPECT_DEATH(world.Run(late_user(join)), "used after its end .Join in .* .task_group_test.cc:[0-9]+..: it");
  EXPECT_DEATH(world.Run(late_user(cancel)), "used after its end .Cancel.: it");
}

}  // namespace
}  // namespace proactor
