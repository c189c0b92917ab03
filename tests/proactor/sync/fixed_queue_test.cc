// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/fixed_queue.h"

#include <memory>
#include <utility>

#include "gtest/gtest.h"

namespace proactor::internal {
namespace {

TEST(FixedQueueTest, GoesRoundInTheOrderOfPushing) {
  FixedQueue<int> queue(3);
  for (int i = 0, next = 0; i < 20; ++i) {
    queue.Push(int(i));
    if (!queue.full()) continue;
    EXPECT_EQ(queue[0], next);
    EXPECT_EQ(queue[2], next + 2);
    EXPECT_EQ(queue.front(), next++);
    queue.Pop();
  }
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.capacity(), 3u);
}

TEST(FixedQueueTest, WithoutRoomItIsEmptyAndFull) {
  FixedQueue<int> queue(0);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.full());
}

TEST(FixedQueueTest, HoldsAndDestroysWhatCanOnlyBeMoved) {
  struct Value {
    explicit Value(std::shared_ptr<int> owned) : owned(std::move(owned)) {}
    Value(Value&&) = default;
    std::shared_ptr<int> owned;
  };
  std::shared_ptr<int> counted = std::make_shared<int>(7);
  {
    FixedQueue<Value> queue(2);
    queue.Push(Value(counted));
    queue.Push(Value(counted));
    EXPECT_EQ(counted.use_count(), 3);
    Value oldest = std::move(queue.front());
    queue.Pop();
    EXPECT_EQ(counted.use_count(), 3);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

}  // namespace
}  // namespace proactor::internal
