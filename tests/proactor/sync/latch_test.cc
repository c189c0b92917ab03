// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/latch.h"

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LatchTest : public BackendTest {};

TEST_P(LatchTest, OpensForAllWhenTheCountIsZero) {
  Latch latch(3);
  std::vector<int> order;
  auto waiter = [&](int id) -> Task<absl::Status> {
    co_await Try(latch.Wait());
    order.push_back(id);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int id : {1, 2, 3}) group.Spawn(waiter(id));
    co_await Try(Sleep(absl::Milliseconds(1)));
    latch.CountDown(2);
    EXPECT_EQ(latch.count(), 1);
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(order, IsEmpty());
    latch.CountDown();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_P(LatchTest, AnOpenOneIsNotWaitedFor) {
  Latch latch(0);
  auto body = [&]() -> Task<absl::Status> { co_return co_await latch.Wait(); };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counters().turns.value(), 1);
}

TEST_P(LatchTest, ATimeoutLeavesTheCount) {
  Latch latch(2);
  auto body = [&]() -> Task<absl::Status> {
    absl::Status status = co_await WithTimeout(absl::Milliseconds(1), latch.Wait());
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(latch.count(), 2);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(LatchTest, ACancelledWaitSaysHowManyWereToGo) {
  Latch latch(2);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::Status status = co_await latch.Wait();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, HasSubstr("a latch with 2 to go")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(LatchTest);

// Who is cancelled before the last count is cancelled, and after it not.
TEST(LatchOrdersTest, InEveryOrder) {
  Bench bench(Backend::kSimulated);
  for (const EventOrder& order : EventOrders(4)) {
    Latch latch(2);
    Stoppable waiters[2];
    absl::Status ended[2];
    auto wait = [&](int id) -> Task<absl::Status> {
      ended[id] = co_await waiters[id].Await(latch.Wait());
      co_return absl::OkStatus();
    };
    bool cancelled[2] = {};
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(wait(0));
      group.Spawn(wait(1));
      co_await Try(LetOthersRun());
      for (int position = 0; position < 4; ++position) {
        int event = order.events[static_cast<size_t>(position)];
        if (event < 2) {
          cancelled[event] = latch.count() > 0;
          waiters[event].Stop();
        } else {
          latch.CountDown();
        }
        if (order.PauseAfter(position)) co_await Try(LetOthersRun());
      }
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(WithTaskGroup(body)), IsOk());
    for (int id : {0, 1}) EXPECT_EQ(absl::IsCancelled(ended[id]), cancelled[id]) << order.Describe();
  }
}

TEST(LatchDeathTest, CountedBelowZero) {
  Latch latch(2);
  latch.CountDown();
  EXPECT_DEATH(latch.CountDown(2), "CountedBelowZero.*latch_test.cc:.* counts a Latch down by 2, of which 1 are left");
  EXPECT_DEATH(latch.CountDown(-1), "counts a Latch down by -1");
  EXPECT_DEATH(Latch(-1), "begins below zero");
}

}  // namespace
}  // namespace proactor
