// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/broadcast.h"

#include <optional>
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

class BroadcastTest : public BackendTest {
 protected:
  Task<absl::Status> ReceiveAll(Broadcast<int>& broadcast, std::vector<int>& received) {
    Broadcast<int>::Receiver receiver(broadcast);
    while (std::optional<int> value = co_await Try(receiver.Receive())) received.push_back(*value);
    co_return absl::OkStatus();
  }
};

TEST_P(BroadcastTest, EveryReceiverGetsEveryValueFromItsBeginning) {
  Broadcast<int> broadcast(4);
  std::vector<int> first, second;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    EXPECT_TRUE(broadcast.Send(0));
    group.Spawn(ReceiveAll(broadcast, first));
    co_await Try(LetOthersRun());
    for (int i : {1, 2, 3}) EXPECT_TRUE(broadcast.Send(i));
    co_await Try(LetOthersRun());
    group.Spawn(ReceiveAll(broadcast, second));
    co_await Try(LetOthersRun());
    EXPECT_EQ(broadcast.receivers(), 2);
    for (int i : {4, 5}) EXPECT_TRUE(broadcast.Send(i));
    broadcast.Close();
    EXPECT_FALSE(broadcast.Send(6));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(first, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(second, ElementsAre(4, 5));
}

TEST_P(BroadcastTest, WhoIsTooSlowLearnsHowManyItMissedAndGoesOn) {
  Broadcast<int> broadcast(2);
  auto body = [&]() -> Task<absl::Status> {
    Broadcast<int>::Receiver receiver(broadcast);
    for (int i = 0; i < 5; ++i) broadcast.Send(i);
    EXPECT_EQ(receiver.behind(), 5u);
    absl::StatusOr<std::optional<int>> missed = co_await receiver.Receive();
    EXPECT_THAT(missed, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("3 values")));
    EXPECT_EQ(receiver.behind(), 2u);
    for (int expected : {3, 4}) {
      std::optional<int> kept = co_await Try(receiver.Receive());
      EXPECT_THAT(kept, Optional(expected));
    }
    broadcast.Close();
    std::optional<int> end = co_await Try(receiver.Receive());
    EXPECT_EQ(end, std::nullopt);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(BroadcastTest, ACancelledReceiverMissesNothing) {
  Broadcast<int> broadcast(2);
  Event stop;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Broadcast<int>::Receiver receiver(broadcast);
    absl::StatusOr<std::optional<int>> none = co_await WithTimeout(absl::Milliseconds(1), receiver.Receive());
    EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
    broadcast.Send(1);
    stop.Set();
    int received = 0;
    while (received == 0) {
      auto chosen = co_await Try(Select(receiver.Receive(), stop.Wait()));
      if (chosen.index() == 0) received = *std::get<0>(chosen);
    }
    EXPECT_EQ(received, 1);
    broadcast.Send(2);
    group.Cancel();
    none = co_await receiver.Receive();
    EXPECT_THAT(none, StatusIs(absl::StatusCode::kCancelled, HasSubstr("a value from a broadcast")));
    EXPECT_EQ(receiver.behind(), 1u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(BroadcastTest);

// Three values, a receiver who is stopped at some moment and comes back, and the end, in every order.
TEST(BroadcastOrdersTest, EveryValueThatWasSentArrivesOnceAndInOrder) {
  enum { kReceive, kStop, kFirst, kSecond, kThird, kClose };
  SimulatedWorld world;
  for (size_t capacity : {1, 3}) {
    for (const EventOrder& order : EventOrders(6)) {
      Broadcast<int> broadcast(capacity);
      std::optional<Broadcast<int>::Receiver> receiver(broadcast);
      Stoppable stopped, patient;
      std::vector<int> sent, received;
      uint64_t missed = 0;
      auto receive = [&](Stoppable& stoppable) -> Task<absl::Status> {
        while (true) {
          absl::StatusOr<std::optional<int>> value = co_await stoppable.Await(receiver->Receive());
          if (absl::IsDataLoss(value.status())) {
            missed = sent.size() - received.size() - receiver->behind();
            continue;
          }
          if (!value.ok() || !value->has_value()) co_return absl::OkStatus();
          received.push_back(**value);
        }
      };
      auto body = [&](TaskGroup& group) -> Task<absl::Status> {
        for (int i = 0; i < 6; ++i) {
          int event = order.events[static_cast<size_t>(i)];
          if (event == kReceive) group.Spawn(receive(stopped));
          if (event == kStop) stopped.Stop();
          if (event >= kFirst && event <= kThird && broadcast.Send(event)) sent.push_back(event);
          if (event == kClose) broadcast.Close();
          if (order.PauseAfter(i)) co_await Try(LetOthersRun());
        }
        co_await Try(Sleep(absl::Microseconds(1)));
        co_return co_await receive(patient);
      };
      EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
      receiver.reset();
      EXPECT_TRUE(capacity < 3 || received == sent);
      EXPECT_EQ(received.size() + missed, sent.size());
      EXPECT_TRUE(sent.empty() || received.back() == sent.back());
      ASSERT_FALSE(HasFailure()) << "capacity " << capacity << ": " << order.Describe();
    }
  }
}

TEST(BroadcastDeathTest, OneReceiverForTwoCoroutines) {
  SimulatedWorld world;
  Broadcast<int> broadcast(1);
  auto receive = [](Broadcast<int>::Receiver& receiver) -> Task<absl::Status> {
    co_await Try(receiver.Receive());
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Broadcast<int>::Receiver receiver(broadcast);
    for (int i = 0; i < 2; ++i) group.Spawn(receive(receiver));
    co_await Try(LetOthersRun());
    broadcast.Send(1);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world.Run(WithTaskGroup(body)).IgnoreError(), "that another one waits for: make one for each");
}

TEST(BroadcastDeathTest, MustOutliveItsReceivers) {
  EXPECT_DEATH(
      {
        std::optional<Broadcast<int>> broadcast(1);
        Broadcast<int>::Receiver receiver(*broadcast);
        broadcast.reset();
      },
      "destroyed before its receivers");
}

}  // namespace
}  // namespace proactor
