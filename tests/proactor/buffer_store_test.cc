// SPDX-License-Identifier: Apache-2.0
#include "proactor/buffer_store.h"

#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace proactor {
namespace {

using internal::BufferSlot;
using internal::BufferStore;
using internal::BufferWaiter;

struct Waiting final : BufferWaiter {
  void Assign(BufferSlot& slot) override { assigned = &slot; }
  void GiveUp() override {}
  BufferSlot* assigned = nullptr;
};

TEST(BufferStoreTest, SizesAreFourTimesEachOther) {
  BufferStore store({});
  ASSERT_EQ(store.size_classes(), 3);
  EXPECT_EQ(store.SizeOf(0), 4096u);
  EXPECT_EQ(store.SizeOf(1), 16384u);
  EXPECT_EQ(store.SizeOf(2), 65536u);
  BufferStore odd({.smallest = 100, .largest = 1000});
  ASSERT_EQ(odd.size_classes(), 3);
  EXPECT_EQ(odd.SizeOf(2), 1000u);
}

TEST(BufferStoreTest, WhoHoldsABufferComesBehindWhoeverStandsInLineAndMayHoldAnEighthOfAll) {
  BufferStore store({.smallest = 64, .largest = 64, .most_bytes = 64 * 16});
  Waiting waiter;
  EXPECT_GE(store.held().Begin(waiter, 64, 1), 0);
  EXPECT_GE(store.held().Begin(waiter, 64, 1), 0);
  EXPECT_EQ(store.held().Begin(waiter, 64, 1), -1);
  BufferSlot* slot = store.Hold(0);
  ASSERT_NE(slot, nullptr);
  EXPECT_EQ(store.usage().held, 1);
  {
    Buffer received = store.Received(*slot, 5);
    EXPECT_EQ(received.size(), 5u);
    EXPECT_EQ(store.usage().held, 0);
    EXPECT_EQ(store.usage().received, 1);
  }
  store.StandInLine(waiter);
  EXPECT_EQ(store.Hold(0), nullptr);
  waiter.Unlink();
  BufferStore of_one({.smallest = 64, .largest = 64, .most_bytes = 64});
  EXPECT_EQ(of_one.held().Begin(waiter, 64, 1), -1) << "the only one is for everybody";
}

TEST(BufferStoreTest, WrongOptionsAreMadeRight) {
  BufferStore store({.smallest = 0, .largest = 0, .most_bytes = 0});
  ASSERT_EQ(store.size_classes(), 1);
  EXPECT_EQ(store.SizeOf(0), 64u);
  BufferSlot* slot = store.Take(0);
  ASSERT_NE(slot, nullptr);
  EXPECT_EQ(store.Take(0), nullptr) << "one there is in any case, and not more than was allowed";
  store.PutBack(*slot);
}

TEST(BufferStoreTest, MemoryIsTakenWhenItIsNeededAndNotBeyondTheBound) {
  BufferStore store({.smallest = 4096, .largest = 4096, .most_bytes = 40 * 4096});
  EXPECT_EQ(store.usage().bytes, 0u);
  std::vector<BufferSlot*> taken;
  while (BufferSlot* slot = store.Take(0)) taken.push_back(slot);
  EXPECT_EQ(taken.size(), 40u);
  EXPECT_EQ(store.usage().bytes, 40u * 4096);
  std::set<char*> addresses;
  for (BufferSlot* slot : taken) addresses.insert(slot->memory);
  EXPECT_EQ(addresses.size(), 40u);
  for (BufferSlot* slot : taken) store.PutBack(*slot);
  EXPECT_EQ(store.usage().received, 0);
}

TEST(BufferStoreTest, SmallBuffersLeaveMemoryForLargeOnes) {
  BufferStore store({.smallest = 64, .largest = 256, .most_bytes = 64 * 100});
  std::vector<BufferSlot*> taken;
  while (BufferSlot* slot = store.Take(0)) taken.push_back(slot);
  size_t small = 0, large = 0;
  for (BufferSlot* slot : taken) ++(slot->size_class == 0 ? small : large);
  EXPECT_EQ(small, 50u);
  EXPECT_EQ(large, 0u) << "there is none before somebody asks for one of that size";
  BufferSlot* slot = store.Take(1);
  ASSERT_NE(slot, nullptr);
  EXPECT_EQ(slot->size_class, 1);
  store.PutBack(*slot);
  for (BufferSlot* slot : taken) store.PutBack(*slot);
}

TEST(BufferStoreTest, TheOneThatWasUsedLastIsTheNext) {
  BufferStore store({});
  BufferSlot* first = store.Take(0);
  BufferSlot* second = store.Take(0);
  store.PutBack(*first);
  store.PutBack(*second);
  EXPECT_EQ(store.Take(0), second);
  store.PutBack(*second);
}

TEST(BufferStoreTest, AnotherSizeStandsIn) {
  BufferStore store({.smallest = 64, .largest = 1024, .most_bytes = 1024});
  BufferSlot* large = store.Take(2);
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(store.Take(0), nullptr) << "there is room for one of the largest only";
  store.PutBack(*large);
  EXPECT_EQ(store.Take(0), large);
  store.PutBack(*large);
}

TEST(BufferStoreTest, WhoStandsInTheLineComesBeforeWhoComesLater) {
  BufferStore store({.smallest = 64, .largest = 64, .most_bytes = 64});
  BufferSlot* only = store.Take(0);
  Waiting first, second;
  store.StandInLine(first);
  store.StandInLine(second);
  EXPECT_EQ(store.usage().waiting, 2);
  store.PutBack(*only);
  EXPECT_EQ(first.assigned, only);
  EXPECT_EQ(second.assigned, nullptr);
  store.PutBack(*only);
  EXPECT_EQ(second.assigned, only);
  store.PutBack(*only);
  EXPECT_EQ(store.Take(0), only);
  store.PutBack(*only);
}

TEST(BufferStoreTest, WhoHasLeftTheLineIsPassedOver) {
  BufferStore store({.smallest = 64, .largest = 64, .most_bytes = 64});
  BufferSlot* only = store.Take(0);
  Waiting first, second;
  store.StandInLine(first);
  store.StandInLine(second);
  first.Unlink();
  store.PutBack(*only);
  EXPECT_EQ(first.assigned, nullptr);
  EXPECT_EQ(second.assigned, only);
  store.PutBack(*only);
}

}  // namespace
}  // namespace proactor
