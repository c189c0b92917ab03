// SPDX-License-Identifier: Apache-2.0
#include "proactor/task.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/log.h"
#include "proactor/sleep.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// Writes its name into a log when it dies.
class Loud {
 public:
  Loud(std::vector<std::string>& log, std::string name) : log_(log), name_(std::move(name)) {}
  ~Loud() { log_.push_back(name_); }
  Loud(const Loud&) = delete;

 private:
  std::vector<std::string>& log_;
  std::string name_;
};

Task<int> Number(int value) { co_return value; }

Task<std::unique_ptr<int>> Owned(int value) { co_return std::make_unique<int>(value); }

TEST(TaskTest, YieldsAnyType) {
  SimulatedWorld world;
  EXPECT_EQ(world.Run(Number(7)), 7);
  EXPECT_EQ(*world.Run(Owned(8)), 8);
  bool ran = false;
  auto nothing = [&]() -> Task<void> {
    ran = true;
    co_return;
  };
  world.Run(nothing());
  EXPECT_TRUE(ran);
}

TEST(TaskTest, DoesNotStartBeforeItIsAwaited) {
  SimulatedWorld world;
  bool started = false;
  auto start = [&]() -> Task<absl::Status> {
    started = true;
    co_return absl::OkStatus();
  };
  auto body = [&]() -> Task<bool> {
    Task<absl::Status> task = start();
    bool before = started;
    absl::Status status = co_await std::move(task);
    co_return !before && started && status.ok();
  };
  EXPECT_TRUE(world.Run(body()));
}

// What the library logs while it lives.
class Warnings {
 public:
  Warnings() : before_(SetLogSink([](LogSeverity, std::string_view line) { lines.emplace_back(line); })) {
    lines.clear();
  }
  ~Warnings() { SetLogSink(before_); }
  static inline std::vector<std::string> lines;

 private:
  LogSink before_;
};

TEST(TaskTest, OneThatIsNeverAwaitedIsDestroyedUnrunWithAWarningThatNamesIt) {
  Warnings warnings;
  std::vector<std::string> log;
  auto child = [](std::unique_ptr<Loud>) -> Task<void> { co_return; };
  { Task<void> task = child(std::make_unique<Loud>(log, "parameter")); }
  EXPECT_THAT(log, ElementsAre("parameter"));
  { Task<int> task = Number(1); }
  EXPECT_THAT(warnings.lines,
              ElementsAre(HasSubstr("OneThatIsNeverAwaitedIsDestroyed"),
                          MatchesRegex("The coroutine .*::Number \\(task_test.cc:[0-9]+\\) was never run: .*")));
}

TEST(TaskTest, OneThatIsLeftBehindByAFailureIsSaidToBe) {
  Warnings warnings;
  SimulatedWorld world;
  auto body = []() -> Task<absl::Status> {
    Task<int> number = Number(1);
    co_await Try(absl::DataLossError("before it is awaited"));
    co_await std::move(number);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(body()), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(warnings.lines, ElementsAre(HasSubstr("Number")));
}

TEST(TaskTest, WhatIsMovedAwaitedSpawnedOrDroppedByALibraryFunctionIsNoReasonToWarn) {
  Warnings warnings;
  SimulatedWorld world;
  auto fine = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Seconds(1)); };
  auto body = [&]() -> Task<absl::Status> {
    Task<absl::Status> first = fine();
    Task<absl::Status> second = std::move(first);
    co_await Try(std::move(second));
    absl::Status late = co_await WithTimeout(absl::Milliseconds(1), fine());
    CancelScope scope(co_await CurrentContext());
    scope.Cancel();
    absl::Status cancelled = co_await internal::InScope(scope, fine());
    absl::Status both = co_await internal::InScope(scope, WithTimeout(absl::Seconds(1), fine()));
    co_return absl::OkStatus();
  };
  world.scheduler().Spawn(fine(), "spawned");
  EXPECT_THAT(world.Run(body()), IsOk());
  world.scheduler().Spawn(fine(), "cancelled before it begins");
  world.scheduler().Shutdown();
  EXPECT_THAT(warnings.lines, IsEmpty());
}

TEST(TaskTest, IsDestroyedBeforeItsResultIsUsed) {
  SimulatedWorld world;
  std::vector<std::string> log;
  auto child = [&]() -> Task<int> {
    Loud local(log, "child's local");
    co_return 1;
  };
  auto parent = [&]() -> Task<void> {
    Loud local(log, "parent's local");
    int value = co_await child();
    log.push_back("result " + std::to_string(value));
  };
  world.Run(parent());
  EXPECT_THAT(log, ElementsAre("child's local", "result 1", "parent's local"));
}

TEST(TaskTest, AMoveOnlyParameterAndResultPassThrough) {
  SimulatedWorld world;
  auto child = [](std::unique_ptr<int> value) -> Task<std::unique_ptr<int>> {
    ++*value;
    co_return value;
  };
  auto parent = [&]() -> Task<int> {
    std::unique_ptr<int> value = co_await child(std::make_unique<int>(1));
    co_return *value;
  };
  EXPECT_EQ(world.Run(parent()), 2);
}

TEST(TaskTest, TemporariesOfTheExpressionLiveUntilItsEnd) {
  SimulatedWorld world;
  auto length = [](const std::string& text) -> Task<size_t> {
    co_await Sleep(absl::Seconds(1));
    co_return text.size();
  };
  auto parent = [&]() -> Task<size_t> { co_return co_await length(std::string(100, 'x')) + co_await length("abc"); };
  EXPECT_EQ(world.Run(parent()), 103u);
}

#if defined(__cpp_exceptions)
TEST(TaskTest, AnEscapedExceptionBecomesTheFailure) {
  SimulatedWorld world;
  auto child = []() -> Task<absl::StatusOr<int>> {
    co_await Sleep(absl::Seconds(1));
    throw std::runtime_error("the disk is on fire");
  };
  absl::StatusOr<int> result = world.Run(child());
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInternal, HasSubstr("the disk is on fire")));
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInternal, HasSubstr("task_test.cc")));
}

TEST(TaskTest, AnExceptionThatIsNoStdExceptionIsAFailureToo) {
  SimulatedWorld world;
  auto child = []() -> Task<absl::Status> {
    co_await Sleep(absl::Seconds(1));
    throw 42;
  };
  EXPECT_THAT(world.Run(child()), StatusIs(absl::StatusCode::kInternal, HasSubstr("not a std::exception")));
}

TEST(TaskDeathTest, AnEscapedExceptionThatNoResultCanCarryEndsTheProcess) {
  auto child = []() -> Task<int> {
    co_await Sleep(absl::Seconds(1));
    throw std::runtime_error("nowhere to go");
  };
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        world.Run(child());
      },
      "let an exception escape: nowhere to go");
}
#endif

TEST(TaskDeathTest, AwaitedTwiceEndsTheProcessWithASentence) {
  auto twice = []() -> Task<int> {
    Task<int> task = Number(1);
    int first = co_await std::move(task);
    co_return first + co_await std::move(task);
  };
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        world.Run(twice());
      },
      "The coroutine .*TaskDeathTest_AwaitedTwice.*task_test.cc:[0-9]+\\) awaits a Task that was used already");
}

// Invariant 1: a frame is never destroyed while one of its operations is in flight.
TEST(TaskDeathTest, DestroyedInFlightEndsTheProcessAndNamesTheCoroutine) {
  auto sleeper = []() -> Task<void> { co_await Sleep(absl::Hours(1)); };
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        Task<void> task = sleeper();
        auto& promise = std::move(task).Release();
        // As a library that starts the coroutine without owning up to it would.
        Context context = {};
        auto body = [&]() -> Task<void> {
          context = co_await CurrentContext();
          promise.SetContext(context);
          promise.handle().resume();
        };
        world.Run(body());
        promise.handle().destroy();
      },
      "task_test.cc.*destroyed while it sleeps");
}

// Deep chains: the stack does not grow, however many coroutines complete one after the other or inside one another.

Task<int64_t> Leaf() { co_return 1; }

TEST(DeepChainTest, TenMillionSequentialSynchronousCompletionsDoNotGrowTheStack) {
  SimulatedWorld world;
  constexpr int64_t kCount = 10'000'000;
  auto loop = []() -> Task<int64_t> {
    int64_t sum = 0;
    for (int64_t i = 0; i < kCount; ++i) sum += co_await Leaf();
    co_return sum;
  };
  EXPECT_EQ(world.Run(loop()), kCount);
}

Task<absl::StatusOr<int64_t>> Nested(int64_t depth) {
  if (depth == 0) co_return 0;
  int64_t below = co_await Try(Nested(depth - 1));
  co_return below + 1;
}

TEST(DeepChainTest, AMillionNestedCompletionsDoNotGrowTheStack) {
  SimulatedWorld world;
  EXPECT_THAT(world.Run(Nested(1'000'000)), IsOkAndHolds(1'000'000));
}

Task<absl::StatusOr<int64_t>> FailAtTheBottom(int64_t depth, int64_t& destroyed) {
  struct Count {
    int64_t& destroyed;
    ~Count() { ++destroyed; }
  } count{destroyed};
  if (depth == 0) co_return absl::DataLossError("bottom");
  int64_t below = co_await Try(FailAtTheBottom(depth - 1, destroyed));
  co_return below + 1;
}

TEST(DeepChainTest, AFailureThatClimbsAMillionFramesDoesNotGrowTheStack) {
  SimulatedWorld world;
  int64_t destroyed = 0;
  EXPECT_THAT(world.Run(FailAtTheBottom(1'000'000, destroyed)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(destroyed, 1'000'001);
}

// In a cancelled scope every operation ends at once: a loop of them is the longest chain of completions without
// suspension.
TEST(DeepChainTest, TenMillionCompletionsOfACancelledScopeDoNotGrowTheStack) {
  SimulatedWorld world;
  auto loop = []() -> Task<int64_t> {
    CancelScope scope(co_await CurrentContext());
    scope.Cancel();
    int64_t cancelled = 0;
    auto body = [&]() -> Task<void> {
      for (int i = 0; i < 10'000'000; ++i) {
        absl::Status status = co_await Sleep(absl::Hours(1));
        cancelled += absl::IsCancelled(status);
      }
    };
    co_await internal::InScope(scope, body());
    co_return cancelled;
  };
  EXPECT_EQ(world.Run(loop()), 10'000'000);
}

}  // namespace
}  // namespace proactor
