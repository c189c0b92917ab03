// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/shared_channel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <thread>
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
using ::testing::Optional;

// Can only be moved, and only be made of something.
struct Parcel {
  explicit Parcel(int number) : number(std::make_unique<int>(number)) {}
  std::unique_ptr<int> number;
};

class SharedChannelTest : public BackendTest {};
// A simulated world does not wait for threads.
class SharedChannelThreadsTest : public BackendTest {};

TEST_P(SharedChannelTest, OnOneSchedulerItIsAChannel) {
  for (size_t capacity : {0, 1, 5}) {
    SharedChannel<int> channel(capacity);
    std::vector<int> received;
    auto receiver = [&]() -> Task<absl::Status> {
      while (std::optional<int> value = co_await Try(channel.Receive())) received.push_back(*value);
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(receiver());
      for (int i = 0; i < 5; ++i) co_await Try(channel.Send(i));
      channel.Close();
      absl::Status refused = co_await channel.Send(5);
      EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("closed")));
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    EXPECT_THAT(received, ElementsAre(0, 1, 2, 3, 4)) << "capacity " << capacity;
  }
}

TEST_P(SharedChannelTest, ADeadlineLosesNoValueOnEitherSide) {
  SharedChannel<Parcel> channel(0);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Parcel parcel(1);
    absl::Status sent = co_await WithTimeout(absl::Milliseconds(1), channel.Send(std::move(parcel)));
    EXPECT_THAT(sent, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_THAT(parcel.number, ::testing::Pointee(1));
    absl::StatusOr<std::optional<Parcel>> received = co_await WithTimeout(absl::Milliseconds(1), channel.Receive());
    EXPECT_THAT(received, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_FALSE(channel.TrySend(std::move(parcel))) << "nobody is left in it";
    group.Cancel();
    received = co_await channel.Receive();
    EXPECT_THAT(received, StatusIs(absl::StatusCode::kCancelled, HasSubstr("a value from a shared channel")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(SharedChannelThreadsTest, AThreadWithoutASchedulerSendsAndReceives) {
  SharedChannel<int> questions(0), answers(1);
  std::thread thread([&] {
    while (true) {
      absl::StatusOr<std::optional<int>> question = questions.ReceiveBlocking();
      if (!question.ok() || !question->has_value()) break;
      answers.SendBlocking(**question * 2).IgnoreError();
    }
    answers.Close();
  });
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 100; ++i) {
      co_await Try(questions.Send(i));
      std::optional<int> answer = co_await Try(answers.Receive());
      EXPECT_THAT(answer, Optional(2 * i));
    }
    questions.Close();
    std::optional<int> end = co_await Try(answers.Receive());
    EXPECT_EQ(end, std::nullopt);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  thread.join();
}

INSTANTIATE_ON_EVERY_BACKEND(SharedChannelTest);
INSTANTIATE_ON_REAL_BACKENDS(SharedChannelThreadsTest);

TEST(SharedChannelBlockingTest, AThreadsPatienceEndsWithoutLoss) {
  SharedChannel<Parcel> channel(1);
  absl::StatusOr<std::optional<Parcel>> none = channel.ReceiveBlocking(absl::Milliseconds(1));
  EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(channel.SendBlocking(Parcel(1)), IsOk());
  Parcel parcel(2);
  EXPECT_THAT(channel.SendBlocking(std::move(parcel), absl::Milliseconds(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(parcel.number, ::testing::Pointee(2));
  channel.Close();
  EXPECT_THAT(channel.SendBlocking(std::move(parcel)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(parcel.number, ::testing::Pointee(2));
}

// Schedulers and threads send and receive, with deadlines that pass at any moment, and each value arrives once. A
// scheduler ends when its part is over, while the others go on.
void Exchange(Backend backend, size_t capacity, unsigned seed) {
  constexpr int kSenders = 2, kEach = 400;
  SharedChannel<Parcel> channel(capacity);
  std::array<std::atomic<int>, kSenders* kEach> received = {};
  std::atomic<int> senders_left = kSenders;
  auto send = [&](int sender) {
    std::mt19937 random(seed + static_cast<unsigned>(sender));
    Bench bench(backend);
    auto body = [&]() -> Task<absl::Status> {
      for (int i = 0; i < kEach; ++i) {
        Parcel parcel(sender * kEach + i);
        while (parcel.number != nullptr) {
          absl::Duration deadline = absl::Microseconds(random() % 20);
          absl::Status status = co_await WithTimeout(deadline, channel.Send(std::move(parcel)));
          EXPECT_EQ(status.ok(), parcel.number == nullptr) << status;
        }
      }
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(body()), IsOk());
    if (--senders_left == 0) channel.Close();
  };
  auto receive = [&](unsigned receiver) {
    std::mt19937 random(seed + 100 + receiver);
    while (true) {
      Bench bench(backend);
      int left = static_cast<int>(random() % 100);
      auto body = [&]() -> Task<absl::StatusOr<bool>> {
        while (left-- > 0) {
          absl::Duration deadline = absl::Microseconds(random() % 20);
          absl::StatusOr<std::optional<Parcel>> parcel = co_await WithTimeout(deadline, channel.Receive());
          if (!parcel.ok()) continue;
          if (!parcel->has_value()) co_return true;
          ++received[static_cast<size_t>(*(*parcel)->number)];
        }
        co_return false;
      };
      absl::StatusOr<bool> over = bench.Run(body());
      if (!over.ok() || *over) break;
    }
  };
  auto receive_blocking = [&] {
    while (true) {
      absl::StatusOr<std::optional<Parcel>> parcel = channel.ReceiveBlocking(absl::Microseconds(5));
      if (!parcel.ok()) continue;
      if (!parcel->has_value()) break;
      ++received[static_cast<size_t>(*(*parcel)->number)];
    }
  };
  std::vector<std::thread> threads;
  for (int sender = 0; sender < kSenders; ++sender) threads.emplace_back(send, sender);
  for (unsigned receiver = 0; receiver < 2; ++receiver) threads.emplace_back(receive, receiver);
  threads.emplace_back(receive_blocking);
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(std::ranges::all_of(received, [](int times) { return times == 1; }))
      << BackendName(backend) << ", capacity " << capacity << ", seed " << seed;
}

TEST_P(SharedChannelThreadsTest, EachValueArrivesOnceWhateverIsCancelledMeanwhile) {
  for (size_t capacity : {0, 1, 8}) Exchange(GetParam(), capacity, static_cast<unsigned>(capacity));
}

// Two schedulers on one thread, in turns: a message may be on its way while anything else happens.
class SharedOrders {
 public:
  explicit SharedOrders(size_t capacity) : channel_(capacity) {}

  enum Event { kSend, kReceive, kStopSend, kStopReceive, kClose };
  void Do(int event) {
    if (event == kSend) left_.scheduler().Spawn(Send());
    if (event == kReceive) right_.scheduler().Spawn(Receive());
    if (event == kStopSend) sender_.Stop();
    if (event == kStopReceive) receiver_.Stop();
    if (event == kClose) channel_.Close();
  }
  void TurnLeft() { left_.scheduler().Turn(MonotonicTime::Past()); }
  void TurnRight() { right_.scheduler().Turn(MonotonicTime::Past()); }
  // How often the value was received, or is still where it came from.
  int Found() {
    channel_.Close();
    while (!left_.scheduler().idle()) TurnLeft();
    while (!right_.scheduler().idle()) TurnRight();
    while (channel_.TryReceive()) ++found_;
    return found_;
  }

 private:
  Task<absl::Status> Send() {
    Parcel parcel(1);
    absl::Status status = co_await sender_.Await(channel_.Send(std::move(parcel)));
    EXPECT_EQ(status.ok(), parcel.number == nullptr);
    if (!status.ok()) ++found_;
    co_return absl::OkStatus();
  }
  Task<absl::Status> Receive() {
    absl::StatusOr<std::optional<Parcel>> parcel = co_await receiver_.Await(channel_.Receive());
    if (parcel.ok() && parcel->has_value()) ++found_;
    co_return absl::OkStatus();
  }

  SimulatedWorld left_, right_;
  SharedChannel<Parcel> channel_;
  Stoppable sender_, receiver_;
  int found_ = 0;
};

TEST(SharedChannelOrdersTest, BetweenTwoSchedulersEachValueIsReceivedOnceOrStillWithItsSender) {
  for (size_t capacity : {0, 1}) {
    for (const EventOrder& order : EventOrders(5)) {
      // A pause is a turn of the one, of the other, or of both.
      for (int turns = 0; turns < 3; ++turns) {
        SharedOrders orders(capacity);
        for (int i = 0; i < 5; ++i) {
          orders.Do(order.events[static_cast<size_t>(i)]);
          if (order.PauseAfter(i) && turns != 1) orders.TurnLeft();
          if (order.PauseAfter(i) && turns != 0) orders.TurnRight();
        }
        ASSERT_EQ(orders.Found(), 1) << "capacity " << capacity << ", turns " << turns << ": " << order.Describe();
      }
    }
  }
}

}  // namespace
}  // namespace proactor
