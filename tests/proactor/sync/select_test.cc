// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/select.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/sync/channel.h"
#include "proactor/sync/event.h"
#include "proactor/sync/semaphore.h"
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

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::Optional;

// Can only be moved, and only be made of something.
struct Parcel {
  explicit Parcel(int number) : number(std::make_unique<int>(number)) {}
  std::unique_ptr<int> number;
};

class SelectTest : public BackendTest {};

TEST_P(SelectTest, TakesWhatIsThereAndNothingElse) {
  Channel<int> left(1);
  Channel<Parcel> right(1);
  auto body = [&]() -> Task<absl::Status> {
    EXPECT_TRUE(right.TrySend(Parcel(7)));
    auto chosen = co_await Try(Select(left.Receive(), right.Receive()));
    EXPECT_EQ(chosen.index(), 1u);
    std::optional<Parcel> parcel = std::get<1>(std::move(chosen));
    EXPECT_EQ(*parcel->number, 7);
    // The other one is not waited for any more.
    EXPECT_TRUE(left.TrySend(1));
    EXPECT_EQ(left.size(), 1u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SelectTest, WaitsForWhatHappensFirst) {
  Channel<int> left(0), right(0);
  Event stop;
  std::vector<size_t> chosen;
  auto selector = [&]() -> Task<absl::Status> {
    while (true) {
      auto next = co_await Try(Select(left.Receive(), right.Receive(), stop.Wait()));
      chosen.push_back(next.index());
      if (next.index() == 2) co_return absl::OkStatus();
      EXPECT_THAT(next.index() == 0 ? std::get<0>(next) : std::get<1>(next), Optional(static_cast<int>(next.index())));
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(selector());
    co_await Try(LetOthersRun());
    EXPECT_TRUE(right.TrySend(1));
    EXPECT_FALSE(left.TrySend(0)) << "it has been chosen";
    co_await Try(LetOthersRun());
    EXPECT_TRUE(left.TrySend(0));
    co_await Try(LetOthersRun());
    stop.Set();
    EXPECT_FALSE(right.TrySend(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(chosen, ElementsAre(1, 0, 2));
}

TEST_P(SelectTest, ASendThatWasNotChosenStillHasItsValue) {
  Channel<Parcel> out(0);
  Channel<int> in(1);
  auto body = [&]() -> Task<absl::Status> {
    Parcel parcel(7);
    EXPECT_TRUE(in.TrySend(1));
    auto first = co_await Try(Select(out.Send(std::move(parcel)), in.Receive()));
    EXPECT_EQ(first.index(), 1u);
    EXPECT_THAT(parcel.number, ::testing::Pointee(7));
    // And waits, and is chosen.
    auto receiver = [&]() -> Task<absl::StatusOr<int>> {
      std::optional<Parcel> received = co_await Try(out.Receive());
      co_return *received->number;
    };
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(receiver());
      auto second = co_await Try(Select(out.Send(std::move(parcel)), in.Receive()));
      EXPECT_EQ(second.index(), 0u);
      EXPECT_EQ(parcel.number, nullptr);
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(exchange);
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SelectTest, ChoosesFairlyAmongWhatIsThere) {
  constexpr int kTimes = 3000;
  Channel<int> first(1), second(1), third(1), quiet(1);
  int chosen[4] = {};
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < kTimes; ++i) {
      for (Channel<int>* channel : {&first, &second, &third}) channel->TrySend(i);
      auto next = co_await Try(Select(first.Receive(), quiet.Receive(), second.Receive(), third.Receive()));
      ++chosen[next.index()];
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(chosen[1], 0);
  for (int i : {0, 2, 3}) EXPECT_THAT(chosen[i], AllOf(Gt(kTimes / 3 - 150), Lt(kTimes / 3 + 150))) << i;
}

TEST_P(SelectTest, AnEndAndAClosedChannelAreChosenUnlessLeftOut) {
  Channel<int> ended(1), other(1);
  ended.Close();
  auto body = [&]() -> Task<absl::Status> {
    auto end = co_await Try(Select(ended.Receive(), other.Receive()));
    EXPECT_EQ(end.index(), 0u);
    EXPECT_EQ(std::get<0>(end), std::nullopt);
    auto refused = co_await Select(ended.Send(1), other.Receive());
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("closed")));
    EXPECT_TRUE(other.TrySend(5));
    auto next = co_await Try(Select(OnlyIf(false, ended.Receive()), OnlyIf(true, other.Receive())));
    EXPECT_EQ(next.index(), 1u);
    auto nothing = co_await WithTimeout(absl::Milliseconds(1), Select(OnlyIf(false, ended.Receive())));
    EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SelectTest, ACancelledOneTakesNothingAlsoOfWhatIsThere) {
  Channel<int> left(1), right(1);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto late = co_await WithTimeout(absl::Milliseconds(1), Select(left.Receive(), right.Receive()));
    EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_TRUE(left.TrySend(1));
    group.Cancel();
    auto cancelled = co_await Select(left.Receive(), right.Receive());
    EXPECT_THAT(cancelled, StatusIs(absl::StatusCode::kCancelled, HasSubstr("channel, or a value")));
    EXPECT_THAT(left.TryReceive(), Optional(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(SelectTest, DoesNotMeetItselfButAnotherOfItsKind) {
  for (size_t capacity : {0, 1}) {
    Channel<int> channel(capacity);
    while (channel.TrySend(0)) continue;  // Until there is no room.
    std::vector<size_t> chosen;
    auto both = [&](int value) -> Task<absl::Status> {
      auto next = co_await Try(Select(channel.Send(value), channel.Receive()));
      chosen.push_back(next.index());
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(both(1));
      co_await Try(LetOthersRun());
      EXPECT_EQ(chosen.size(), capacity) << "alone, it can but take what is there";
      group.Spawn(both(2));
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    ASSERT_EQ(chosen.size(), 2u);
    EXPECT_NE(chosen[0], chosen[1]);
    EXPECT_EQ(channel.size(), capacity);
  }
}

TEST_P(SelectTest, WhatOneChoiceSetsFreeIsNotChosenToo) {
  for (int i = 0; i < 10; ++i) {
    Semaphore semaphore(1);
    Channel<int> channel(0);
    auto greedy = [&]() -> Task<absl::Status> {
      auto chosen = co_await Try(Select(semaphore.Acquire(5), channel.Send(7)));
      EXPECT_EQ(chosen.index(), 1u);
      co_return absl::OkStatus();
    };
    // It takes the value, so the greedy one leaves the line of the semaphore, where this one would now be due.
    auto modest = [&]() -> Task<absl::Status> {
      auto chosen = co_await Try(Select(semaphore.Acquire(1), channel.Receive()));
      EXPECT_EQ(chosen.index(), 1u);
      EXPECT_EQ(semaphore.available(), 1);
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(greedy());
      co_await Try(LetOthersRun());
      group.Spawn(modest());
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  }
}

// Two parts in one line. When the first leaves it the second would be due, which leaves with it.
TEST_P(SelectTest, APartThatLeavesItsLineHandsNothingToAnotherPart) {
  int in_front = 0;
  for (int i = 0; i < 40; ++i) {
    bool cancelled = i % 2 != 0;
    Semaphore permits(0);
    Channel<Parcel> parcels(0);
    Stoppable selector;
    auto select = [&]() -> Task<absl::Status> {
      auto chosen = co_await selector.Await(Select(permits.Acquire(2), parcels.Receive(), permits.Acquire(1)));
      if (chosen.ok() && chosen->index() == 2) co_return absl::OkStatus();  // The modest one was in front.
      ++in_front;
      EXPECT_EQ(permits.available(), 1);
      EXPECT_EQ(absl::IsCancelled(chosen.status()), cancelled);
      EXPECT_TRUE(cancelled || (chosen->index() == 1 && std::get<1>(*chosen).has_value()));
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(select());
      co_await Try(LetOthersRun());
      permits.Release(1);
      if (cancelled) {
        selector.Stop();
      } else {
        parcels.TrySend(Parcel(i));
      }
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  }
  EXPECT_GT(in_front, 5);
}

INSTANTIATE_ON_EVERY_BACKEND(SelectTest);

// A select over two channels, from one and to the other, what others do there, and a cancellation.
enum SelectEvent { kSelect, kSendLeft, kReceiveRight, kStop, kStopSend, kClose };

struct SelectExchange {
  explicit SelectExchange(size_t capacity) : left(capacity), right(capacity) {}

  Task<absl::Status> SelectOnce() {
    Parcel parcel(1);
    auto chosen = co_await selector.Await(Select(left.Receive(), right.Send(std::move(parcel))));
    bool sent = chosen.ok() && chosen->index() == 1;
    EXPECT_EQ(sent, parcel.number == nullptr) << "sent, or still here";
    received += sent ? 0 : 1;  // Here, so it is accounted for.
    if (chosen.ok() && chosen->index() == 0 && std::get<0>(*chosen)) ++received_left;
    co_return absl::OkStatus();
  }
  Task<absl::Status> SendLeft() {
    Parcel parcel(2);
    absl::Status status = co_await sender.Await(left.Send(std::move(parcel)));
    EXPECT_EQ(status.ok(), parcel.number == nullptr);
    received_left += status.ok() ? 0 : 1;
    co_return absl::OkStatus();
  }
  Task<absl::Status> ReceiveRight() {
    absl::StatusOr<std::optional<Parcel>> parcel = co_await right.Receive();
    if (parcel.ok() && parcel->has_value()) ++received;
    co_return absl::OkStatus();
  }
  void Do(SelectEvent event, TaskGroup& group) {
    switch (event) {
      case kSelect:
        return group.Spawn(SelectOnce());
      case kSendLeft:
        return group.Spawn(SendLeft());
      case kReceiveRight:
        return group.Spawn(ReceiveRight());
      case kStop:
        return selector.Stop();
      case kStopSend:
        return sender.Stop();
      case kClose:
        left.Close();
        return right.Close();
    }
  }

  Channel<Parcel> left, right;
  Stoppable selector, sender;
  // How often each value was received, or found where it came from.
  int received = 0;
  int received_left = 0;
};

TEST(SelectOrdersTest, EachValueIsReceivedOnceOrStillWithItsSender) {
  for (size_t capacity : {0, 1}) {
    SimulatedWorld world;
    for (const EventOrder& order : EventOrders(6)) {
      SelectExchange exchange(capacity);
      auto body = [&](TaskGroup& group) -> Task<absl::Status> {
        for (int i = 0; i < 6; ++i) {
          exchange.Do(static_cast<SelectEvent>(order.events[static_cast<size_t>(i)]), group);
          if (order.PauseAfter(i)) co_await Try(LetOthersRun());
        }
        co_await Try(Sleep(absl::Microseconds(1)));
        group.Cancel();
        co_return absl::OkStatus();
      };
      EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
      while (exchange.left.TryReceive()) ++exchange.received_left;
      while (exchange.right.TryReceive()) ++exchange.received;
      EXPECT_EQ(exchange.received, 1);
      EXPECT_EQ(exchange.received_left, 1);
      ASSERT_FALSE(HasFailure()) << "capacity " << capacity << ": " << order.Describe();
    }
  }
}

}  // namespace
}  // namespace proactor
