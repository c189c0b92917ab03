// SPDX-License-Identifier: Apache-2.0
#include "proactor/ready_queue.h"

#include <algorithm>
#include <coroutine>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

// A coroutine in the test's hands: it starts suspended, and is destroyed with this.
class Coroutine {
 public:
  struct promise_type {
    Coroutine get_return_object() { return Coroutine(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };

  ~Coroutine() {
    if (handle_) handle_.destroy();
  }
  Coroutine(Coroutine&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

  std::coroutine_handle<> handle() const { return handle_; }

 private:
  explicit Coroutine(std::coroutine_handle<> handle) : handle_(handle) {}
  std::coroutine_handle<> handle_;
};

// Does something when its turn comes, and resumes nothing, or the coroutine that it has.
class Turn final : public Suspension {
 public:
  explicit Turn(std::function<void()> action, std::coroutine_handle<> coroutine = nullptr)
      : action_(std::move(action)), coroutine_(coroutine) {}
  explicit Turn(const Coroutine& coroutine) : Turn([] {}, coroutine.handle()) {}

  std::coroutine_handle<> Resume() override {
    action_();
    return coroutine_;
  }
  void Cancel() override {}
  const CancelScope* scope() const override { return nullptr; }
  std::string Describe() const override { return "a test"; }

 private:
  std::function<void()> action_;
  std::coroutine_handle<> coroutine_;
};

TEST(ReadyQueueTest, RunsInTheOrderOfPushing) {
  ReadyQueue queue;
  std::vector<int> log;
  Turn one([&] { log.push_back(1); }), two([&] { log.push_back(2); }), three([&] { log.push_back(3); });
  queue.Push(two);
  queue.Push(three);
  queue.Push(one);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.RunSome(10), 3);
  EXPECT_THAT(log, ElementsAre(2, 3, 1));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.RunSome(10), 0);
}

TEST(ReadyQueueTest, WhatContinuesGoesBeforeWhatStandsInLine) {
  ReadyQueue queue;
  std::vector<int> log;
  Turn last([&] { log.push_back(3); });
  Turn second([&] { log.push_back(2); });
  Turn first([&] {
    log.push_back(1);
    queue.Continue(second);
  });
  queue.Push(first);
  queue.Push(last);
  EXPECT_EQ(queue.RunSome(1), 1) << "both are one turn";
  EXPECT_THAT(log, ElementsAre(1, 2));
  EXPECT_EQ(queue.RunSome(10), 1);
  EXPECT_THAT(log, ElementsAre(1, 2, 3));
}

TEST(ReadyQueueTest, OfTwoThatContinueTheEarlierStandsInLine) {
  ReadyQueue queue;
  std::vector<int> log;
  Turn second([&] { log.push_back(2); }), third([&] { log.push_back(3); });
  Turn first([&] {
    log.push_back(1);
    queue.Continue(third);
    queue.Continue(second);
  });
  queue.Push(first);
  EXPECT_EQ(queue.RunSome(10), 2);
  EXPECT_THAT(log, ElementsAre(1, 2, 3));
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueueTest, RunsNoMoreThanTheLimit) {
  ReadyQueue queue;
  std::vector<int> log;
  Turn one([&] { log.push_back(1); }), two([&] { log.push_back(2); }), three([&] { log.push_back(3); });
  for (Turn* turn : {&one, &two, &three}) queue.Push(*turn);
  EXPECT_EQ(queue.RunSome(2), 2);
  EXPECT_THAT(log, ElementsAre(1, 2));
  EXPECT_EQ(queue.front(), &three);
  EXPECT_EQ(queue.RunSome(0), 0);
  EXPECT_EQ(queue.RunSome(2), 1);
  EXPECT_THAT(log, ElementsAre(1, 2, 3));
}

TEST(ReadyQueueTest, RunsWhatBecomesReadyMeanwhileBehindTheRest) {
  ReadyQueue queue;
  std::vector<int> log;
  Turn late([&] { log.push_back(3); });
  Turn one([&] {
    log.push_back(1);
    queue.Push(late);
  });
  Turn two([&] { log.push_back(2); });
  queue.Push(one);
  queue.Push(two);
  EXPECT_EQ(queue.RunSome(10), 3);
  EXPECT_THAT(log, ElementsAre(1, 2, 3));
}

TEST(ReadyQueueTest, WhatIsReadyAgainAndAgainCountsTowardsTheLimit) {
  ReadyQueue queue;
  int runs = 0;
  Turn restless([&] {
    ++runs;
    queue.Push(restless);
  });
  queue.Push(restless);
  EXPECT_EQ(queue.RunSome(100), 100);
  EXPECT_EQ(runs, 100);
  EXPECT_FALSE(queue.empty());
  queue.Pop();
}

TEST(ReadyQueueTest, PoppedAndPushedAgainItKeepsItsOrder) {
  ReadyQueue queue;
  Turn one([] {}), two([] {});
  queue.Push(one);
  EXPECT_EQ(queue.Pop(), &one);
  EXPECT_EQ(queue.Pop(), nullptr);
  queue.Push(two);
  queue.Push(one);
  EXPECT_EQ(queue.Pop(), &two);
  EXPECT_EQ(queue.Pop(), &one);
  EXPECT_TRUE(queue.empty());
}

Coroutine Write(std::vector<int>& log, int number) {
  log.push_back(number);
  co_return;
}

TEST(ReadyQueueTest, ABatchIsAppendedBehindTheRestAndMayBeFilledAgain) {
  std::vector<int> order;
  Turn turns[] = {Turn([&] { order.push_back(0); }), Turn([&] { order.push_back(1); }),
                  Turn([&] { order.push_back(2); }), Turn([&] { order.push_back(3); })};
  ReadyQueue queue;
  SuspensionQueue batch;
  queue.Append(batch);
  EXPECT_TRUE(queue.empty());
  queue.Push(turns[0]);
  batch.Push(turns[1]);
  batch.Push(turns[2]);
  queue.Append(batch);
  EXPECT_TRUE(batch.empty());
  batch.Push(turns[3]);
  queue.Append(batch);
  EXPECT_EQ(queue.RunSome(10), 4);
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(ReadyQueueTest, ResumesTheCoroutineThatWaited) {
  ReadyQueue queue;
  std::vector<int> log;
  Coroutine one = Write(log, 1), two = Write(log, 2);
  Turn first(one), second(two);
  queue.Push(first);
  queue.Push(second);
  EXPECT_THAT(log, ElementsAre()) << "Pushing resumed it.";
  EXPECT_EQ(queue.RunSome(10), 2);
  EXPECT_THAT(log, ElementsAre(1, 2));
  EXPECT_TRUE(one.handle().done());
}

// Suspends, and is ready again.
struct Yield {
  ReadyQueue& queue;
  Turn& turn;
  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<>) { queue.Push(turn); }
  void await_resume() {}
};

Coroutine WakeEachOther(ReadyQueue& queue, Turn*& other, int& depth, int& deepest, int& runs) {
  while (true) {
    deepest = std::max(deepest, ++depth);
    ++runs;
    Yield yield{queue, *other};
    --depth;
    co_await yield;
  }
}

TEST(ReadyQueueTest, ResumptionNeverNests) {
  ReadyQueue queue;
  int depth = 0, deepest = 0, runs = 0;
  Turn* left_turn = nullptr;
  Turn* right_turn = nullptr;
  Coroutine left = WakeEachOther(queue, right_turn, depth, deepest, runs);
  Coroutine right = WakeEachOther(queue, left_turn, depth, deepest, runs);
  Turn left_waits(left), right_waits(right);
  left_turn = &left_waits;
  right_turn = &right_waits;
  queue.Push(left_waits);
  queue.RunSome(1000);
  EXPECT_EQ(runs, 1000);
  EXPECT_EQ(deepest, 1);
}

TEST(ReadyQueueTest, CompletesInlineSixteenTimesForEachResume) {
  ReadyQueue queue;
  auto take_all = [&] {
    int taken = 0;
    while (taken < 1000 && queue.TakeInlineCompletion()) ++taken;
    return taken;
  };
  int first_taken = 0, second_taken = 0;
  Turn first([&] { first_taken = take_all(); });
  Turn second([&] { second_taken = take_all(); });
  queue.Push(first);
  queue.Push(second);
  queue.RunSome(2);
  EXPECT_EQ(first_taken, ReadyQueue::kInlineCompletions);
  EXPECT_EQ(second_taken, ReadyQueue::kInlineCompletions) << "One starved the other.";
  EXPECT_EQ(ReadyQueue::kInlineCompletions, 16);
}

TEST(ReadyQueueTest, RefusesInlineCompletionsHoweverOftenItIsAsked) {
  ReadyQueue queue;
  Turn turn([] {});
  queue.Push(turn);
  queue.RunSome(1);
  for (int i = 0; i < ReadyQueue::kInlineCompletions; ++i) EXPECT_TRUE(queue.TakeInlineCompletion());
  for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(queue.TakeInlineCompletion());
}

TEST(ReadyQueueTest, TransfersAHundredTimesForEachResume) {
  ReadyQueue queue;
  auto take_all = [&] {
    int taken = 0;
    while (taken < 1000 && queue.TakeTransfer()) ++taken;
    return taken;
  };
  int first_taken = 0, second_taken = 0;
  Turn first([&] { first_taken = take_all(); });
  Turn second([&] { second_taken = take_all(); });
  queue.Push(first);
  queue.Push(second);
  queue.RunSome(2);
  // The hundredth goes through the queue.
  EXPECT_EQ(first_taken, ReadyQueue::kTransfers - 1);
  EXPECT_EQ(second_taken, ReadyQueue::kTransfers - 1);
  EXPECT_EQ(ReadyQueue::kTransfers, 100);
  EXPECT_EQ(ReadyQueue::kResumesPerTurn, 256);
}

Coroutine ContinueWith(ReadyQueue& queue, std::coroutine_handle<> to, std::vector<int>& log) {
  log.push_back(1);
  queue.Continue(to);
  co_return;
}

TEST(ReadyQueueTest, ContinuesBeforeWhatIsReady) {
  ReadyQueue queue;
  std::vector<int> log;
  Coroutine to = Write(log, 2);
  Coroutine from = ContinueWith(queue, to.handle(), log);
  Turn turn(from), next([&] { log.push_back(3); });
  queue.Push(turn);
  queue.Push(next);
  EXPECT_EQ(queue.RunSome(1), 1);
  EXPECT_THAT(log, ElementsAre(1, 2));
  EXPECT_EQ(queue.RunSome(1), 1);
  EXPECT_THAT(log, ElementsAre(1, 2, 3));
}

TEST(ReadyQueueTest, WhatYieldsIsBehindWhatALookAtInputAndOutputMakesReady) {
  ReadyQueue queue;
  std::vector<int> log;
  Turn one([&] { log.push_back(1); }), two([&] { log.push_back(2); }), three([&] { log.push_back(3); });
  queue.PushBehindInputAndOutput(three);
  EXPECT_FALSE(queue.empty()) << "The scheduler would sleep.";
  queue.Push(one);
  EXPECT_EQ(queue.RunSome(10), 1);
  EXPECT_FALSE(queue.empty());
  queue.Push(two);
  queue.TakeYielded();
  EXPECT_EQ(queue.RunSome(10), 2);
  EXPECT_THAT(log, ElementsAre(1, 2, 3));
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueueTest, AppendingKeepsTheOrderAndLeavesNothingBehind) {
  SuspensionQueue left, right;
  Turn one([] {}), two([] {}), three([] {}), four([] {});
  left.Append(right);
  EXPECT_TRUE(left.empty());
  right.Push(one);
  left.Append(right);
  EXPECT_TRUE(right.empty());
  right.Push(two);
  right.Push(three);
  left.Append(right);
  right.Push(four);
  for (Turn* turn : {&one, &two, &three}) EXPECT_EQ(left.Pop(), turn);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(right.Pop(), &four);
}

}  // namespace
}  // namespace proactor
