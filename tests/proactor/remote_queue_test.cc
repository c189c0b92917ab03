// SPDX-License-Identifier: Apache-2.0
#include "proactor/remote_queue.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/interleavings.h"
#include "tests/support/model_atomic.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// --- One thread. ---

struct Numbered : RemoteNode {
  explicit Numbered(int n) : number(n) {}
  int number;
};

std::vector<int> Numbers(RemoteNode* node) {
  std::vector<int> numbers;
  for (; node != nullptr; node = node->next) numbers.push_back(static_cast<Numbered*>(node)->number);
  return numbers;
}

TEST(RemoteQueueTest, YieldsNodesInTheOrderOfPushing) {
  RemoteQueue queue;
  Numbered one(1), two(2), three(3);
  queue.Push(one);
  queue.Push(two);
  queue.Push(three);
  EXPECT_THAT(Numbers(queue.TakeAll()), ElementsAre(1, 2, 3));
  EXPECT_EQ(queue.TakeAll(), nullptr);
}

TEST(RemoteQueueTest, TakesANodeThatWasTakenBefore) {
  RemoteQueue queue;
  Numbered one(1), two(2);
  queue.Push(one);
  queue.Push(two);
  queue.TakeAll();
  queue.Push(two);
  queue.Push(one);
  EXPECT_THAT(Numbers(queue.TakeAll()), ElementsAre(2, 1));
}

TEST(RemoteQueueTest, AsksForNoWakeWhileTheReceiverIsAwake) {
  RemoteQueue queue;
  Numbered one(1), two(2);
  EXPECT_FALSE(queue.Push(one));
  EXPECT_FALSE(queue.Push(two));
}

TEST(RemoteQueueTest, AsksForOneWakeForEachSleep) {
  RemoteQueue queue;
  for (int sleep = 0; sleep < 3; ++sleep) {
    Numbered one(1), two(2);
    ASSERT_TRUE(queue.Sleep());
    EXPECT_TRUE(queue.Push(one));
    EXPECT_FALSE(queue.Push(two));
    EXPECT_THAT(Numbers(queue.TakeAll()), ElementsAre(1, 2));
  }
}

TEST(RemoteQueueTest, DoesNotSleepOnANode) {
  RemoteQueue queue;
  Numbered one(1);
  queue.Push(one);
  EXPECT_FALSE(queue.Sleep());
  EXPECT_THAT(Numbers(queue.TakeAll()), ElementsAre(1));
  EXPECT_TRUE(queue.Sleep());
}

TEST(RemoteQueueTest, IsAwakeAfterTakingNothing) {
  RemoteQueue queue;
  ASSERT_TRUE(queue.Sleep());
  EXPECT_EQ(queue.TakeAll(), nullptr);
  Numbered one(1);
  EXPECT_FALSE(queue.Push(one)) << "A timer ended the sleep, and a sender still pays for a wake.";
  queue.TakeAll();
  EXPECT_TRUE(queue.Sleep());
}

// --- Every interleaving. ---

// A push that has to try again remembers nothing of its earlier attempts but the value that it saw instead.
template <class T>
class RetriedAtomic : public ModelAtomic<T> {
 public:
  using ModelAtomic<T>::ModelAtomic;

  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) {
    bool succeeded = ModelAtomic<T>::compare_exchange_weak(expected, desired, success, failure);
    if (!succeeded) ForgetAttempts(expected);
    return succeeded;
  }
};

// Senders that push and wake, and a receiver that goes around as a scheduler does, until it has everything.
template <class Queue>
class Traffic final : public ConcurrentProgram {
 public:
  Traffic(int senders, int nodes_each) : senders_(senders), nodes_each_(nodes_each) {}

  int participants() const override { return senders_ + 1; }

  void Reset() override {
    queue_.emplace();
    wake_.emplace();
    messages_ = {};
    next_from_ = {};
    received_ = unused_sleeps_ = 0;
  }

  void Run(int participant) override { participant == 0 ? Receive() : Send(participant - 1); }

  void AppendState(std::vector<uint64_t>& state) const override {
    state.push_back(unused_sleeps_);
    state.insert(state.end(), next_from_.begin(), next_from_.end());
    for (int i = 0; i < static_cast<int>(messages_.size()); ++i) {
      bool received = i % kMostNodes < next_from_[i / kMostNodes];
      state.push_back(received ? 0 : reinterpret_cast<uintptr_t>(messages_[i].next));
    }
  }

  void AtEnd(bool all_ended) override {
    if (all_ended) return;
    FailInterleaving(queue_->TakeAll() != nullptr ? "Lost wake-up: the receiver sleeps for ever beside a node."
                                                  : "Lost node: it is not in the queue, and was not received.");
  }

  std::string Name(int participant) const override {
    return participant == 0 ? "receiver" : "sender " + std::to_string(participant);
  }

  std::string Show(uint64_t value) const override {
    for (int i = 0; i < static_cast<int>(messages_.size()); ++i) {
      if (value != reinterpret_cast<uintptr_t>(static_cast<const RemoteNode*>(&messages_[i]))) continue;
      return "node " + std::to_string(i % kMostNodes + 1) + " of sender " + std::to_string(i / kMostNodes + 1);
    }
    return std::to_string(value);
  }

 private:
  static constexpr int kMostSenders = 3;
  static constexpr int kMostNodes = 3;

  struct Message : RemoteNode {
    Stamp sent;
  };

  void Send(int sender) {
    for (int i = 0; i < nodes_each_; ++i) {
      ForgetPast(i);
      Message& message = messages_[sender * kMostNodes + i];
      message.sent = Publish();
      if (!queue_->Push(message)) continue;
      if (--unused_sleeps_ < 0) FailInterleaving("More than one wake for one sleep.");
      wake_->Signal();
    }
  }

  void Receive() {
    while (received_ < senders_ * nodes_each_ && !InterleavingIsOver()) {
      ForgetPast(0);
      if (queue_->Sleep()) {
        ++unused_sleeps_;
        wake_->Wait();
      } else {
        wake_->Drain();
      }
      for (RemoteNode* node = queue_->TakeAll(); node != nullptr;) {
        const Message& message = static_cast<const Message&>(*node);
        node = node->next;
        Accept(message);
      }
    }
  }

  void Accept(const Message& message) {
    int number = static_cast<int>(&message - messages_.data());
    int& next = next_from_[number / kMostNodes];
    if (number % kMostNodes < next) FailInterleaving("A node was received twice.");
    if (number % kMostNodes > next) FailInterleaving("Nodes of one sender came out of order.");
    if (!Sees(message.sent)) FailInterleaving("A node was received before what its sender wrote to it.");
    ++next;
    ++received_;
  }

  const int senders_;
  const int nodes_each_;
  std::optional<Queue> queue_;
  std::optional<ModelEvent> wake_;
  std::array<Message, kMostSenders * kMostNodes> messages_;
  std::array<int, kMostSenders> next_from_;  // The receiver's own, like received_.
  int received_;
  int unused_sleeps_;  // Those that no sender has found.
};

template <class Queue>
Exploration Explore(int senders, int nodes_each, int accidents) {
  Traffic<Queue> traffic(senders, nodes_each);
  return ExploreInterleavings(traffic, {.accidents = accidents});
}

Exploration ExploreAndReport(int senders, int nodes_each, int accidents) {
  Exploration exploration = Explore<BasicRemoteQueue<RetriedAtomic>>(senders, nodes_each, accidents);
  std::cout << senders << " sender(s) with " << nodes_each << " node(s) each, up to " << accidents
            << " accident(s): " << exploration.interleavings << " interleavings, " << exploration.states << " states, "
            << exploration.executions << " executions\n";
  ::testing::Test::RecordProperty("interleavings", std::to_string(exploration.interleavings));
  return exploration;
}

TEST(WakeProtocolTest, HoldsInEveryInterleavingWithOneSender) {
  Exploration exploration = ExploreAndReport(/*senders=*/1, /*nodes_each=*/1, /*accidents=*/2);
  EXPECT_EQ(exploration.failure, "");
  EXPECT_GT(exploration.interleavings, 500u);
}

TEST(WakeProtocolTest, HoldsInEveryInterleavingWithOneSenderOfTwoNodes) {
  Exploration exploration = ExploreAndReport(/*senders=*/1, /*nodes_each=*/2, /*accidents=*/2);
  EXPECT_EQ(exploration.failure, "");
  EXPECT_GT(exploration.interleavings, 80'000u);
}

TEST(WakeProtocolTest, HoldsInEveryInterleavingWithTwoSenders) {
  Exploration exploration = ExploreAndReport(/*senders=*/2, /*nodes_each=*/1, /*accidents=*/2);
  EXPECT_EQ(exploration.failure, "");
  EXPECT_GT(exploration.interleavings, 16'000'000u);
}

TEST(WakeProtocolTest, HoldsInEveryInterleavingWithTwoSendersOfTwoNodes) {
  Exploration exploration = ExploreAndReport(/*senders=*/2, /*nodes_each=*/2, /*accidents=*/1);
  EXPECT_EQ(exploration.failure, "");
  EXPECT_GT(exploration.interleavings, 3'000'000'000'000u);
}

// Every interleaving is run here, and none is only counted.
TEST(WakeProtocolTest, IsSearchedCompletelyDespiteShortcuts) {
  const struct { int senders, nodes_each, accidents; } kCases[] = {{1, 1, 2}, {1, 2, 1}, {2, 1, 0}};
  for (const auto& [senders, nodes_each, accidents] : kCases) {
    Traffic<BasicRemoteQueue<ModelAtomic>> traffic(senders, nodes_each);
    Exploration all = ExploreInterleavings(traffic, {.accidents = accidents, .each_state_once = false});
    EXPECT_EQ(all.failure, "");
    EXPECT_EQ(all.executions, all.interleavings);
    EXPECT_EQ(all.interleavings,
              Explore<BasicRemoteQueue<RetriedAtomic>>(senders, nodes_each, accidents).interleavings);
  }
}

// --- Bugs planted in a copy of the protocol, so that it is known what the search would find. ---

enum class Bug {
  kNone,
  kSleepFlagIsAWordOfItsOwn,
  kAwakeBeforeTheWait,
  kDecidesByTheFirstLook,
  kTakesByLoadAndStore,
  kStaysAsleepWithoutNodes,
  kWakesTheIdleToo,
  kTakesTheNewestFirst,
  kTrustsTheWeakExchange,
  kPublishesNothing,
  kAcquiresNothing,
};

template <Bug kBug>
class BuggyQueue {
 public:
  bool Push(RemoteNode& node) {
    uintptr_t seen = newest_.load(std::memory_order_relaxed);
    const uintptr_t first_look = seen;
    while (true) {
      node.next = seen == kAsleep ? nullptr : reinterpret_cast<RemoteNode*>(seen);
      const uintptr_t before = seen;
      if (newest_.compare_exchange_weak(
              seen, reinterpret_cast<uintptr_t>(&node),
              kBug == Bug::kPublishesNothing ? std::memory_order_relaxed : std::memory_order_release,
              std::memory_order_relaxed)) {
        break;
      }
      if (kBug == Bug::kTrustsTheWeakExchange && seen == before) break;
    }
    if (kBug == Bug::kSleepFlagIsAWordOfItsOwn) return asleep_.exchange(false);
    if (kBug == Bug::kDecidesByTheFirstLook) return first_look == kAsleep;
    if (kBug == Bug::kWakesTheIdleToo && seen == kEmpty) return true;
    return seen == kAsleep;
  }

  bool Sleep() {
    if (kBug == Bug::kSleepFlagIsAWordOfItsOwn) {
      if (newest_.load() != kEmpty) return false;
      asleep_.store(true);
      return true;
    }
    uintptr_t expected = kEmpty;
    if (!newest_.compare_exchange_strong(expected, kAsleep)) return false;
    expected = kAsleep;
    if (kBug == Bug::kAwakeBeforeTheWait) newest_.compare_exchange_strong(expected, kEmpty);
    return true;
  }

  RemoteNode* TakeAll() {
    if (kBug == Bug::kSleepFlagIsAWordOfItsOwn) asleep_.store(false);
    uintptr_t taken =
        newest_.load(kBug == Bug::kTakesByLoadAndStore ? std::memory_order_acquire : std::memory_order_relaxed);
    if (taken == kEmpty) return nullptr;
    if (kBug == Bug::kStaysAsleepWithoutNodes && taken == kAsleep) return nullptr;
    if (kBug == Bug::kTakesByLoadAndStore) {
      newest_.store(kEmpty);
    } else {
      taken = newest_.exchange(kEmpty,
                               kBug == Bug::kAcquiresNothing ? std::memory_order_relaxed : std::memory_order_acquire);
    }
    if (taken == kAsleep) return nullptr;
    if (kBug == Bug::kTakesTheNewestFirst) return reinterpret_cast<RemoteNode*>(taken);
    RemoteNode* oldest = nullptr;
    for (RemoteNode* node = reinterpret_cast<RemoteNode*>(taken); node != nullptr;) {
      RemoteNode* older = node->next;
      node->next = oldest;
      oldest = node;
      node = older;
    }
    return oldest;
  }

 private:
  static constexpr uintptr_t kEmpty = 0;
  static constexpr uintptr_t kAsleep = 1;

  // Not a RetriedAtomic: a push that decides by its first look does remember its earlier attempts.
  ModelAtomic<uintptr_t> newest_{kEmpty};
  ModelAtomic<bool> asleep_{false};
};

template <Bug kBug>
std::string FailureOf() {
  return Explore<BuggyQueue<kBug>>(/*senders=*/2, /*nodes_each=*/1, /*accidents=*/1).failure;
}

constexpr char kLostWakeUp[] = "Lost wake-up";

TEST(WakeProtocolSearchTest, FindsNothingInAFaithfulCopy) { EXPECT_EQ(FailureOf<Bug::kNone>(), ""); }

TEST(WakeProtocolSearchTest, FindsTheWakeUpLostBetweenTwoWords) {
  EXPECT_THAT(FailureOf<Bug::kSleepFlagIsAWordOfItsOwn>(), StartsWith(kLostWakeUp));
}

TEST(WakeProtocolSearchTest, FindsTheWakeUpLostByClearingTheFlagTooEarly) {
  EXPECT_THAT(FailureOf<Bug::kAwakeBeforeTheWait>(), StartsWith(kLostWakeUp));
}

TEST(WakeProtocolSearchTest, FindsTheWakeUpLostByDecidingOnAStaleValue) {
  EXPECT_THAT(FailureOf<Bug::kDecidesByTheFirstLook>(), StartsWith(kLostWakeUp));
}

TEST(WakeProtocolSearchTest, FindsTheNodeLostBetweenLoadAndStore) {
  EXPECT_THAT(FailureOf<Bug::kTakesByLoadAndStore>(), StartsWith("Lost node"));
}

TEST(WakeProtocolSearchTest, FindsTheNodeLostByASpuriousFailure) {
  EXPECT_THAT(FailureOf<Bug::kTrustsTheWeakExchange>(),
              AllOf(StartsWith("Lost node"), HasSubstr("compare_exchange_weak fails (for no reason)")));
}

TEST(WakeProtocolSearchTest, FindsTheReceiverThatSpinsAfterATimer) {
  EXPECT_THAT(FailureOf<Bug::kStaysAsleepWithoutNodes>(),
              AllOf(StartsWith("It goes on for ever"), HasSubstr("wait (for no reason)")));
}

TEST(WakeProtocolSearchTest, FindsTheWakeTooMany) {
  EXPECT_THAT(FailureOf<Bug::kWakesTheIdleToo>(), StartsWith("More than one wake"));
}

TEST(WakeProtocolSearchTest, FindsNodesOutOfOrder) {
  EXPECT_THAT(Explore<BuggyQueue<Bug::kTakesTheNewestFirst>>(1, 2, 0).failure, StartsWith("Nodes of one sender"));
}

TEST(WakeProtocolSearchTest, FindsThePushThatPublishesNothing) {
  EXPECT_THAT(FailureOf<Bug::kPublishesNothing>(), StartsWith("A node was received before what its sender wrote"));
}

TEST(WakeProtocolSearchTest, FindsTheTakeThatAcquiresNothing) {
  EXPECT_THAT(FailureOf<Bug::kAcquiresNothing>(), StartsWith("A node was received before what its sender wrote"));
}

// --- Real threads: last, because a lost wake-up is a test that hangs. ---

// What a receiver sleeps on. Relaxed, so that it does not do the queue's work of publishing the nodes.
class Sleeper {
 public:
  void Wake() {
    wakes_.fetch_add(1, std::memory_order_relaxed);
    wakes_.notify_one();
  }
  void Wait() {
    wakes_.wait(seen_, std::memory_order_relaxed);
    seen_ = wakes_.load(std::memory_order_relaxed);
  }

  int wakes() const { return wakes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> wakes_{0};
  int seen_ = 0;
};

TEST(RemoteQueueThreadsTest, LosesNothingUnderLoad) {
  static constexpr int kSenders = 3;
  static constexpr int kNodes = 100'000;
  struct Letter : RemoteNode {
    int sender;
    int number;
  };
  RemoteQueue queue;
  Sleeper sleeper;
  std::vector<Letter> letters(kSenders * kNodes);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kNodes; ++i) {
        Letter& letter = letters[sender * kNodes + i];
        letter.sender = sender;
        letter.number = i;
        if (queue.Push(letter)) sleeper.Wake();
      }
    });
  }

  std::array<int, kSenders> next_from = {};
  int sleeps = 0;
  int out_of_order = 0;
  for (int received = 0; received < kSenders * kNodes;) {
    if (queue.Sleep()) {
      ++sleeps;
      sleeper.Wait();
    }
    for (RemoteNode* node = queue.TakeAll(); node != nullptr; ++received) {
      const Letter& letter = static_cast<const Letter&>(*node);
      node = node->next;
      if (letter.number != next_from[letter.sender]++) ++out_of_order;
    }
  }
  for (std::thread& sender : senders) sender.join();

  EXPECT_EQ(out_of_order, 0);
  EXPECT_THAT(next_from, ElementsAre(kNodes, kNodes, kNodes));
  EXPECT_EQ(queue.TakeAll(), nullptr);
  EXPECT_LE(sleeper.wakes(), sleeps);
}

// Each push finds the other side asleep or about to be.
TEST(RemoteQueueThreadsTest, LosesNoWakeUpInPingPong) {
  static constexpr int kTimes = 20'000;
  struct Side {
    RemoteQueue queue;
    Sleeper sleeper;
    // Takes the ball and plays it back, so often.
    void Play(Side& other) {
      for (int received = 0; received < kTimes;) {
        if (queue.Sleep()) sleeper.Wait();
        RemoteNode* ball = queue.TakeAll();
        if (ball == nullptr) continue;
        ++received;
        if (other.queue.Push(*ball)) other.sleeper.Wake();
      }
    }
  };
  Side left, right;
  RemoteNode ball;
  left.queue.Push(ball);
  std::thread thread([&] { right.Play(left); });
  left.Play(right);
  thread.join();
  EXPECT_EQ(left.queue.TakeAll(), &ball);
  EXPECT_EQ(right.queue.TakeAll(), nullptr);
}

}  // namespace
}  // namespace proactor
