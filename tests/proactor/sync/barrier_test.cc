// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/barrier.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
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
using ::testing::UnorderedElementsAre;

class BarrierTest : public BackendTest {};

TEST_P(BarrierTest, NobodyBeginsARoundBeforeAllHaveEndedTheLast) {
  constexpr int kRounds = 20;
  Barrier barrier(3);
  std::vector<int> places[kRounds];
  int done[3] = {};
  auto party = [&](int id) -> Task<absl::Status> {
    for (int round = 0; round < kRounds; ++round) {
      co_await Try(Sleep(absl::Microseconds(id * round % 5)));
      done[id] = round;
      places[round].push_back(co_await Try(barrier.Wait()));
      for (int other : done) EXPECT_GE(other, round);
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int id : {0, 1, 2}) group.Spawn(party(id));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  for (const std::vector<int>& round : places) EXPECT_THAT(round, UnorderedElementsAre(0, 1, 2));
  EXPECT_EQ(barrier.waiting(), 0);
}

TEST_P(BarrierTest, PlacesAreInTheOrderOfArrival) {
  Barrier barrier(3);
  int places[3] = {};
  auto party = [&](int id) -> Task<absl::Status> {
    places[id] = co_await Try(barrier.Wait());
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int id : {2, 0, 1}) group.Spawn(party(id));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(places, ElementsAre(1, 2, 0));
}

TEST_P(BarrierTest, WhoIsCancelledLeavesAndTheOthersWaitForAnother) {
  Barrier barrier(2);
  bool together = false;
  auto patient = [&]() -> Task<absl::Status> {
    int place = co_await Try(barrier.Wait());
    EXPECT_EQ(place, 0);
    EXPECT_TRUE(together);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    absl::StatusOr<int> place = co_await WithTimeout(absl::Milliseconds(1), barrier.Wait());
    EXPECT_THAT(place.status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(barrier.waiting(), 0);
    group.Spawn(patient());
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_EQ(barrier.waiting(), 1);
    together = true;
    place = co_await Try(barrier.Wait());
    EXPECT_EQ(*place, 1);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(BarrierTest, WhoIsAlreadyThroughIsNotCancelled) {
  Barrier barrier(2);
  absl::Status status = absl::UnknownError("");
  auto party = [&]() -> Task<absl::Status> {
    absl::StatusOr<int> place = co_await barrier.Wait();
    status = place.status();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(party());
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_await Try(barrier.Wait());
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(status, IsOk());
}

TEST_P(BarrierTest, InACancelledScopeNobodyArrives) {
  Barrier barrier(1);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::StatusOr<int> place = co_await barrier.Wait();
    EXPECT_THAT(place.status(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("a barrier where 0 of 1 are")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(BarrierTest);

// Three arrive at a barrier for two, two of them are cancelled at some moment, in every order.
TEST(BarrierOrdersTest, InEveryOrderItOpensForTwo) {
  Bench bench(Backend::kSimulated);
  for (const EventOrder& order : EventOrders(5)) {
    Barrier barrier(2);
    Stoppable parties[3];
    absl::Status ended[3];
    auto arrive = [&](int id) -> Task<absl::Status> {
      absl::StatusOr<int> place = co_await parties[id].Await(barrier.Wait());
      ended[id] = place.status();
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      std::deque<int> waiting;
      std::vector<int> through;
      bool stopped[3] = {};
      for (int position = 0; position < 5; ++position) {
        int event = order.events[static_cast<size_t>(position)];
        if (event < 3) {
          group.Spawn(arrive(event));
          co_await Try(LetOthersRun());  // It has arrived.
          if (!stopped[event]) waiting.push_back(event);
          if (waiting.size() == 2) through.insert(through.end(), waiting.begin(), waiting.end()), waiting.clear();
        } else {
          stopped[event - 3] = true;
          parties[event - 3].Stop();
          std::erase(waiting, event - 3);
        }
        EXPECT_EQ(barrier.waiting(), static_cast<int>(waiting.size()));
        if (order.PauseAfter(position)) co_await Try(LetOthersRun());
      }
      parties[2].Stop();
      co_await group.Join();
      for (int id : {0, 1, 2}) EXPECT_EQ(ended[id].ok(), std::ranges::find(through, id) != through.end());
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(WithTaskGroup(body)), IsOk());
    ASSERT_FALSE(HasFailure()) << order.Describe();
  }
}

TEST(BarrierDeathTest, TwiceInOneSelect) {
  SimulatedWorld world;
  Barrier barrier(2);
  auto meet_itself = [&]() -> Task<absl::Status> {
    co_await Try(Select(barrier.Wait(), barrier.Wait()));
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world.Run(meet_itself()).IgnoreError(), "waits at a barrier twice: it is one party");
}

TEST(BarrierDeathTest, ForNobody) { EXPECT_DEATH(Barrier(0), "for one party at least"); }

}  // namespace
}  // namespace proactor
