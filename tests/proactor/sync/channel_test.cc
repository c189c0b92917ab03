// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/channel.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
#include "tests/support/backends.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::UnorderedElementsAre;

// Can only be moved, and only be made of something.
struct Parcel {
  explicit Parcel(int number) : number(std::make_unique<int>(number)) {}
  std::unique_ptr<int> number;
};

class ChannelTest : public BackendTest {
 protected:
  Task<absl::Status> SendAll(Channel<int>& channel, int from, int to) {
    for (int i = from; i < to; ++i) co_await Try(channel.Send(i));
    co_return absl::OkStatus();
  }
  // Until the end.
  Task<absl::Status> ReceiveAll(Channel<int>& channel) {
    while (std::optional<int> value = co_await Try(channel.Receive())) received_.push_back(*value);
    co_return absl::OkStatus();
  }

  std::vector<int> received_;
};

TEST_P(ChannelTest, ValuesArriveInTheOrderOfSendingWhateverTheCapacity) {
  for (size_t capacity : {0, 1, 2, 16, 100}) {
    Channel<int> channel(capacity);
    received_.clear();
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(ReceiveAll(channel));
      co_await Try(SendAll(channel, 0, 100));
      channel.Close();
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    std::vector<int> expected;
    for (int i = 0; i < 100; ++i) expected.push_back(i);
    EXPECT_EQ(received_, expected) << "capacity " << capacity;
  }
}

TEST_P(ChannelTest, SendersWaitForRoomInTheOrderInWhichTheyCame) {
  Channel<int> channel(2);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i : {0, 1, 2}) group.Spawn(SendAll(channel, 10 * i, 10 * i + 2));
    co_await Try(LetOthersRun());
    EXPECT_EQ(channel.size(), 2u);
    group.Spawn(ReceiveAll(channel));
    co_await Try(Sleep(absl::Milliseconds(1)));
    channel.Close();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(received_, ElementsAre(0, 1, 10, 20, 11, 21));
}

TEST_P(ChannelTest, ReceiversAreServedInTheOrderInWhichTheyCame) {
  Channel<int> channel(0);
  std::vector<std::pair<int, int>> got;
  auto receiver = [&](int id) -> Task<absl::Status> {
    while (std::optional<int> value = co_await Try(channel.Receive())) got.emplace_back(id, *value);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int id : {1, 2}) group.Spawn(receiver(id));
    co_await Try(LetOthersRun());
    co_await Try(SendAll(channel, 0, 3));
    channel.Close();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(got, UnorderedElementsAre(std::pair(1, 0), std::pair(2, 1), std::pair(1, 2)));
}

TEST_P(ChannelTest, WhoTriesDoesNotWaitAndDoesNotOvertake) {
  Channel<int> channel(1);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    EXPECT_EQ(channel.TryReceive(), std::nullopt);
    EXPECT_TRUE(channel.TrySend(1));
    group.Spawn(SendAll(channel, 2, 3));
    co_await Try(LetOthersRun());
    EXPECT_FALSE(channel.TrySend(9));
    EXPECT_THAT(channel.TryReceive(), Optional(1));
    EXPECT_FALSE(channel.TrySend(9)) << "the room belongs to who waited for it";
    EXPECT_THAT(channel.TryReceive(), Optional(2));
    channel.Close();
    EXPECT_FALSE(channel.TrySend(9));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(ChannelTest, AfterCloseWhatIsQueuedArrivesAndThenTheEnd) {
  Channel<int> channel(3);
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(SendAll(channel, 0, 2));
    channel.Close();
    channel.Close();
    EXPECT_TRUE(channel.closed());
    absl::Status refused = co_await channel.Send(2);
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("closed")));
    co_await Try(ReceiveAll(channel));
    absl::StatusOr<std::optional<int>> again = co_await channel.Receive();
    EXPECT_THAT(again, IsOkAndHolds(std::nullopt));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_THAT(received_, ElementsAre(0, 1));
}

TEST_P(ChannelTest, ClosingEndsAllWhoWaitAndSendersKeepTheirValues) {
  Channel<Parcel> full(0);
  Channel<Parcel> empty(1);
  auto sender = [&](int number) -> Task<absl::Status> {
    Parcel parcel(number);
    absl::Status status = co_await full.Send(std::move(parcel));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition));
    if (parcel.number == nullptr) co_return absl::DataLossError("the parcel is gone");
    received_.push_back(*parcel.number);
    co_return absl::OkStatus();
  };
  auto receiver = [&]() -> Task<absl::Status> {
    std::optional<Parcel> parcel = co_await Try(empty.Receive());
    EXPECT_FALSE(parcel.has_value());
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int number : {1, 2}) {
      group.Spawn(sender(number));
      group.Spawn(receiver());
    }
    co_await Try(LetOthersRun());
    full.Close();
    empty.Close();
    EXPECT_THAT(received_, IsEmpty()) << "closing only makes ready";
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(received_, ElementsAre(1, 2));
}

TEST_P(ChannelTest, AValueIsMovedAndNeverMade) {
  for (size_t capacity : {0, 1}) {
    Channel<Parcel> channel(capacity);
    auto receiver = [&]() -> Task<absl::Status> {
      std::optional<Parcel> parcel = co_await Try(channel.Receive());
      received_.push_back(*parcel->number);
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      Parcel first(1);
      group.Spawn(receiver());
      co_await Try(channel.Send(std::move(first)));  // Before somebody waits, and after.
      group.Spawn(receiver());
      co_await Try(LetOthersRun());
      Parcel second(2);
      absl::StatusOr<absl::Status> sent = co_await WithTimeout(absl::Seconds(1), channel.Send(std::move(second)));
      EXPECT_EQ(second.number, nullptr);
      co_return internal::StatusOf(sent);
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  }
  EXPECT_THAT(received_, ElementsAre(1, 2, 1, 2));
}

TEST_P(ChannelTest, ADeadlineLosesNoValueOnEitherSide) {
  Channel<Parcel> channel(0);
  auto body = [&]() -> Task<absl::Status> {
    Parcel parcel(1);
    absl::Status sent = co_await WithTimeout(absl::Milliseconds(1), channel.Send(std::move(parcel)));
    EXPECT_THAT(sent, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_THAT(parcel.number, ::testing::Pointee(1));
    absl::StatusOr<std::optional<Parcel>> received = co_await WithTimeout(absl::Milliseconds(1), channel.Receive());
    EXPECT_THAT(received, StatusIs(absl::StatusCode::kDeadlineExceeded));
    // Nobody is left behind in the channel.
    EXPECT_FALSE(channel.TrySend(std::move(parcel)));
    EXPECT_THAT(parcel.number, ::testing::Pointee(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ChannelTest, WhatWasHandedOverIsDeliveredThoughTheScopeIsCancelled) {
  Channel<int> channel(0);
  absl::Status sent = absl::UnknownError("");
  auto sender = [&]() -> Task<absl::Status> {
    sent = co_await channel.Send(1);
    co_return absl::OkStatus();
  };
  auto receiver = [&]() -> Task<absl::Status> {
    absl::StatusOr<std::optional<int>> value = co_await channel.Receive();
    if (value.ok() && value->has_value()) received_.push_back(**value);
    absl::StatusOr<std::optional<int>> next = co_await channel.Receive();
    EXPECT_THAT(next, StatusIs(absl::StatusCode::kCancelled, HasSubstr("a value from a channel")));
    co_return absl::OkStatus();
  };
  auto send_to_receiver = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(receiver());
    co_await Try(LetOthersRun());
    EXPECT_TRUE(channel.TrySend(7));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(send_to_receiver)), IsOk());
  auto receive_from_sender = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(sender());
    co_await Try(LetOthersRun());
    EXPECT_THAT(channel.TryReceive(), Optional(1));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(receive_from_sender)), IsOk());
  EXPECT_THAT(received_, ElementsAre(7));
  EXPECT_THAT(sent, IsOk());
}

TEST_P(ChannelTest, TheChannelDestroysWhatNobodyReceived) {
  std::shared_ptr<int> counted = std::make_shared<int>(0);
  auto body = [&]() -> Task<absl::Status> {
    Channel<std::shared_ptr<int>> channel(2);
    co_await Try(channel.Send(std::shared_ptr<int>(counted)));
    EXPECT_EQ(counted.use_count(), 2);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counted.use_count(), 1);
}

INSTANTIATE_ON_EVERY_BACKEND(ChannelTest);

// Two senders, two receivers, and what happens to them.
enum Event { kSend0, kSend1, kReceive0, kReceive1, kStopSend, kStopReceive, kClose };

struct Exchange {
  explicit Exchange(size_t capacity) : channel(capacity) {}

  Task<absl::Status> Send(int number) {
    Parcel parcel(number);
    absl::Status status = co_await sender[number].Await(channel.Send(std::move(parcel)));
    EXPECT_EQ(status.ok(), parcel.number == nullptr) << "sent, or still here";
    sent[number] = status.ok();
    co_return absl::OkStatus();
  }
  Task<absl::Status> Receive(int id) {
    absl::StatusOr<std::optional<Parcel>> parcel = co_await receiver[id].Await(channel.Receive());
    if (parcel.ok() && parcel->has_value()) ++received[*(*parcel)->number];
    co_return absl::OkStatus();
  }
  void Do(Event event, TaskGroup& group) {
    switch (event) {
      case kSend0:
      case kSend1:
        return group.Spawn(Send(event - kSend0));
      case kReceive0:
      case kReceive1:
        return group.Spawn(Receive(event - kReceive0));
      case kStopSend:
        return sender[0].Stop();
      case kStopReceive:
        return receiver[0].Stop();
      case kClose:
        return channel.Close();
    }
  }

  Channel<Parcel> channel;
  Stoppable sender[2], receiver[2];
  bool sent[2] = {};
  int received[2] = {};
};

// What happens to a few values in every order of events, with and without steps of the loop in between.
TEST(ChannelOrdersTest, EachValueIsReceivedOnceOrStillWithItsSender) {
  const std::vector<Event> kPrograms[] = {
      {kSend0, kSend1, kReceive0, kReceive1, kStopSend, kStopReceive},
      {kSend0, kSend1, kReceive0, kStopSend, kStopReceive, kClose},
      {kSend0, kReceive0, kReceive1, kStopSend, kStopReceive, kClose},
  };
  for (size_t capacity : {0, 1, 2}) {
    SimulatedWorld world;
    for (const std::vector<Event>& program : kPrograms) {
      for (const EventOrder& order : EventOrders(static_cast<int>(program.size()))) {
        Exchange exchange(capacity);
        auto body = [&](TaskGroup& group) -> Task<absl::Status> {
          for (size_t i = 0; i < program.size(); ++i) {
            exchange.Do(program[static_cast<size_t>(order.events[i])], group);
            if (order.PauseAfter(static_cast<int>(i))) co_await Try(LetOthersRun());
          }
          co_await Try(Sleep(absl::Microseconds(1)));
          group.Cancel();
          co_return absl::OkStatus();
        };
        EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
        while (std::optional<Parcel> left = exchange.channel.TryReceive()) ++exchange.received[*left->number];
        for (int i : {0, 1}) EXPECT_EQ(exchange.received[i], exchange.sent[i] ? 1 : 0) << "value " << i;
        ASSERT_FALSE(HasFailure()) << "capacity " << capacity << ": " << order.Describe();
      }
    }
  }
}

using ChannelDeathTest = ::testing::Test;

TEST(ChannelDeathTest, DestroyedWhileACoroutineWaits) {
  SimulatedWorld world;
  auto receive = [](Channel<int>& channel) -> Task<absl::Status> { co_return (co_await channel.Receive()).status(); };
  auto body = [&]() -> Task<absl::Status> {
    std::optional<Channel<int>> channel(0);
    world.scheduler().Spawn(receive(*channel), "patient");
    co_await Try(Sleep(absl::Milliseconds(1)));
    channel.reset();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world.Run(body()).IgnoreError(), "waits for a value from a channel, which was destroyed");
}

}  // namespace
}  // namespace proactor
