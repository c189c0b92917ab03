// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/watch.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/sync/event.h"
#include "proactor/sync/select.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

class WatchTest : public BackendTest {
 protected:
  Task<absl::Status> Observe(Watch<int>& watch, std::vector<int>& seen) {
    Watch<int>::Observer observer(watch);
    while (std::optional<int> value = co_await Try(observer.Changed())) seen.push_back(*value);
    co_return absl::OkStatus();
  }
};

TEST_P(WatchTest, EveryObserverSeesTheLatestAndNoneTwice) {
  Watch<int> watch(1);
  std::vector<int> early, late;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Observe(watch, early));
    co_await Try(LetOthersRun());
    watch.Set(2);
    watch.Set(3);
    co_await Try(LetOthersRun());
    group.Spawn(Observe(watch, late));
    co_await Try(LetOthersRun());
    watch.Set(4);
    watch.Close();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(early, ElementsAre(1, 3, 4));
  EXPECT_THAT(late, ElementsAre(3, 4));
  EXPECT_EQ(watch.value(), 4);
}

TEST_P(WatchTest, WhoIsWokenSeesWhatWasSetSinceThen) {
  Watch<int> watch(1);
  std::vector<int> seen;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Observe(watch, seen));
    co_await Try(LetOthersRun());
    watch.Set(2);  // Wakes it.
    watch.Set(3);
    watch.Close();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(seen, ElementsAre(1, 3));
}

TEST_P(WatchTest, ADeadlineLosesNoChange) {
  Watch<int> watch(1);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Watch<int>::Observer observer(watch);
    EXPECT_THAT(observer.TryChanged(), Optional(1));
    EXPECT_EQ(observer.TryChanged(), std::nullopt);
    absl::StatusOr<std::optional<int>> none = co_await WithTimeout(absl::Milliseconds(1), observer.Changed());
    EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
    watch.Set(2);
    group.Cancel();
    none = co_await observer.Changed();
    EXPECT_THAT(none, StatusIs(absl::StatusCode::kCancelled, HasSubstr("a change of a watched value")));
    EXPECT_THAT(observer.TryChanged(), Optional(2));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(WatchTest, CanBeSelected) {
  Watch<std::string> watch("one");
  Event stop;
  auto body = [&]() -> Task<absl::Status> {
    Watch<std::string>::Observer observer(watch);
    auto first = co_await Try(Select(observer.Changed(), stop.Wait()));
    EXPECT_THAT(std::get<0>(first), Optional(std::string("one")));
    stop.Set();
    auto second = co_await Try(Select(observer.Changed(), stop.Wait()));
    EXPECT_EQ(second.index(), 1u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(WatchTest);

// Two changes, an observer who is stopped at some moment, and the end, in every order.
TEST(WatchOrdersTest, WhoLooksToTheEndHasSeenTheLatest) {
  enum { kLook, kStop, kFirst, kSecond, kClose };
  SimulatedWorld world;
  for (const EventOrder& order : EventOrders(5)) {
    Watch<int> watch(0);
    std::optional<Watch<int>::Observer> observer(watch);
    Stoppable stopped, patient;
    std::vector<int> seen;
    auto look = [&](Stoppable& stoppable) -> Task<absl::Status> {
      while (true) {
        absl::StatusOr<std::optional<int>> value = co_await stoppable.Await(observer->Changed());
        if (!value.ok() || !value->has_value()) co_return absl::OkStatus();
        seen.push_back(**value);
      }
    };
    int latest = 0;
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int i = 0; i < 5; ++i) {
        switch (order.events[static_cast<size_t>(i)]) {
          case kLook:
            group.Spawn(look(stopped));
            break;
          case kStop:
            stopped.Stop();
            break;
          case kFirst:
          case kSecond:
            latest = order.events[static_cast<size_t>(i)];
            watch.Set(latest);
            break;
          case kClose:
            watch.Close();
        }
        if (order.PauseAfter(i)) co_await Try(LetOthersRun());
      }
      co_await Try(Sleep(absl::Microseconds(1)));
      co_return co_await look(patient);
    };
    EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
    observer.reset();
    ASSERT_FALSE(seen.empty()) << order.Describe();
    EXPECT_EQ(seen.back(), latest);
    for (size_t i = 1; i < seen.size(); ++i) EXPECT_NE(seen[i - 1], seen[i]) << "twice";
    ASSERT_FALSE(HasFailure()) << order.Describe();
  }
}

TEST(WatchDeathTest, OneObserverForTwoCoroutines) {
  SimulatedWorld world;
  Watch<int> watch(1);
  auto observe = [](Watch<int>::Observer& observer) -> Task<absl::Status> {
    co_await Try(observer.Changed());
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Watch<int>::Observer observer(watch);
    EXPECT_TRUE(observer.TryChanged().has_value());
    for (int i = 0; i < 2; ++i) group.Spawn(observe(observer));
    co_await Try(LetOthersRun());
    watch.Set(2);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world.Run(WithTaskGroup(body)).IgnoreError(), "that another one looked through: make one for each");
}

TEST(WatchDeathTest, MustOutliveItsObservers) {
  EXPECT_DEATH(
      {
        std::optional<Watch<int>> watch(1);
        Watch<int>::Observer observer(*watch);
        watch.reset();
      },
      "destroyed before its observers");
}

}  // namespace
}  // namespace proactor
