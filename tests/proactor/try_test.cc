// SPDX-License-Identifier: Apache-2.0
#include "proactor/try.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

using Log = std::vector<std::string>;

class Loud {
 public:
  Loud(Log& log, std::string name) : log_(log), name_(std::move(name)) {}
  ~Loud() { log_.push_back(name_); }
  Loud(const Loud&) = delete;

 private:
  Log& log_;
  std::string name_;
};

absl::StatusOr<std::string> Parsed(bool good) {
  if (!good) return absl::InvalidArgumentError("bad text");
  return std::string(100, 'g');
}

TEST(TryTest, ExtractsThePlainValue) {
  SimulatedWorld world;
  auto body = []() -> Task<absl::StatusOr<size_t>> {
    std::string text = co_await Try(Parsed(true));
    co_await Try(absl::OkStatus());
    co_return text.size();
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(100u));
}

TEST(TryTest, APlainFailureLeavesTheCoroutine) {
  SimulatedWorld world;
  bool reached = false;
  auto body = [&]() -> Task<absl::StatusOr<size_t>> {
    std::string text = co_await Try(Parsed(false));
    reached = true;
    co_return text.size();
  };
  EXPECT_THAT(world.Run(body()), StatusIs(absl::StatusCode::kInvalidArgument, "bad text"));
  EXPECT_FALSE(reached);
}

TEST(TryTest, SkippedFramesAreDestroyedInnermostFirstBeforeTheCatcherContinues) {
  SimulatedWorld world;
  Log log;
  auto inner = [&]() -> Task<absl::StatusOr<int>> {
    Loud local(log, "inner");
    co_await Try(Sleep(absl::Seconds(1)));
    co_return absl::NotFoundError("no such thing");
  };
  auto middle = [&]() -> Task<absl::Status> {
    Loud local(log, "middle");
    int value = co_await Try(inner());
    log.push_back("middle goes on with " + std::to_string(value));
    co_return absl::OkStatus();
  };
  auto outer = [&]() -> Task<absl::StatusOr<std::string>> {
    Loud local(log, "outer");
    co_await Try(middle());
    log.push_back("outer goes on");
    co_return "never";
  };
  auto catcher = [&]() -> Task<absl::Status> {
    absl::StatusOr<std::string> result = co_await outer();
    log.push_back("catcher");
    co_return result.status();
  };
  EXPECT_THAT(world.Run(catcher()), StatusIs(absl::StatusCode::kNotFound, "no such thing"));
  EXPECT_THAT(log, ElementsAre("inner", "middle", "outer", "catcher"));
}

TEST(TryTest, AFailureThatClimbsToTheRootIsItsResult) {
  SimulatedWorld world;
  auto inner = []() -> Task<absl::Status> {
    co_await Try(Sleep(absl::Seconds(1)));
    co_return absl::AbortedError("inner");
  };
  auto root = [&]() -> Task<absl::Status> {
    co_await Try(inner());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(root()), StatusIs(absl::StatusCode::kAborted));
}

// However many frames the failure passes, they are destroyed one after the other, and not each inside the one before.
TEST(TryTest, AFailureClimbsFromAnyDepth) {
  SimulatedWorld world;
  struct Chain {
    static Task<absl::Status> Descend(int depth, int& destroyed) {
      struct Count {
        ~Count() { ++destroyed; }
        int& destroyed;
      } count{destroyed};
      if (depth == 0) co_return absl::AbortedError("at the bottom");
      co_await Try(Descend(depth - 1, destroyed));
      co_return absl::OkStatus();
    }
  };
  constexpr int kDepth = 200'000;
  int destroyed = 0;
  EXPECT_THAT(world.Run(Chain::Descend(kDepth, destroyed)), StatusIs(absl::StatusCode::kAborted, "at the bottom"));
  EXPECT_EQ(destroyed, kDepth + 1);
}

TEST(TryTest, WorksInALoopConditionAndTwiceInOneExpression) {
  SimulatedWorld world;
  int left = 5;
  auto next = [&]() -> Task<absl::StatusOr<int>> {
    co_await Try(Sleep(absl::Seconds(1)));
    co_return left--;
  };
  auto body = [&]() -> Task<absl::StatusOr<int>> {
    int sum = 0;
    while (int n = co_await Try(next())) sum += n;
    left = 3;
    co_return sum + co_await Try(next()) * co_await Try(next());
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(5 + 4 + 3 + 2 + 1 + 3 * 2));
}

TEST(TryTest, MoveOnlyValuesPassThrough) {
  SimulatedWorld world;
  auto make = []() -> Task<absl::StatusOr<std::unique_ptr<int>>> { co_return std::make_unique<int>(5); };
  auto body = [&]() -> Task<absl::StatusOr<int>> {
    std::unique_ptr<int> owned = co_await Try(make());
    co_return *owned;
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(5));
}

TEST(TryTest, ATemporaryWithADestructorInTheSameExpressionIsDestroyedOnce) {
  SimulatedWorld world;
  Log log;
  auto use = [](const Loud&, bool fail) -> Task<absl::StatusOr<int>> {
    co_await Try(Sleep(absl::Seconds(1)));
    if (fail) co_return absl::AbortedError("");
    co_return 1;
  };
  auto body = [&](bool fail) -> Task<absl::StatusOr<int>> {
    co_return co_await Try(use(Loud(log, "temporary"), fail));
  };
  EXPECT_THAT(world.Run(body(false)), IsOkAndHolds(1));
  EXPECT_THAT(log, ElementsAre("temporary"));
  EXPECT_THAT(world.Run(body(true)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(log, ElementsAre("temporary", "temporary"));
}

}  // namespace
}  // namespace proactor
