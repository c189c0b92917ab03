// SPDX-License-Identifier: Apache-2.0
#include "proactor/held_buffers.h"

#include "gtest/gtest.h"
#include "proactor/buffer_store.h"

namespace proactor::internal {
namespace {

struct Waiting final : BufferWaiter {
  void Assign(BufferSlot&) override {}
  void GiveUp() override {}
};

TEST(HeldBuffersTest, ThereAreSoManyPlacesAndEachIsUsedAgain) {
  HeldBuffers held(1 << 20);
  Waiting waiter;
  bool taken[HeldBuffers::kMost] = {};
  for (int i = 0; i < HeldBuffers::kMost; ++i) {
    int place = held.Begin(waiter, 1, 0);
    ASSERT_GE(place, 0);
    EXPECT_FALSE(taken[place]);
    taken[place] = true;
  }
  EXPECT_EQ(held.Begin(waiter, 1, 0), -1);
  held.End(17);
  EXPECT_EQ(held.Begin(waiter, 1, 0), 17);
}

TEST(HeldBuffersTest, TogetherTheyAreNoLargerThanAllowed) {
  HeldBuffers held(100);
  Waiting waiter;
  int small = held.Begin(waiter, 40, 0);
  EXPECT_EQ(held.Begin(waiter, 61, 0), -1);
  EXPECT_GE(held.Begin(waiter, 60, 0), 0);
  EXPECT_EQ(held.Begin(waiter, 1, 0), -1);
  held.End(small);
  EXPECT_GE(held.Begin(waiter, 40, 0), 0);
}

TEST(HeldBuffersTest, AnAnswerCameAtOnceIfItIsSeenInTheNextTurn) {
  HeldBuffers held(100);
  Waiting waiter;
  const uint32_t last = ~uint32_t{0};
  int place = held.Begin(waiter, 1, 0);
  held.Ask(place, 7);
  EXPECT_TRUE(held.Answer(place, 7));
  EXPECT_TRUE(held.Answer(place, 8));
  EXPECT_FALSE(held.Answer(place, 9));
  held.Ask(place, last);
  EXPECT_TRUE(held.Answer(place, last + 1)) << "turns are counted around";
}

TEST(HeldBuffersTest, WhoHasNotAskedForLongestIsIdleAndIsNotNamedAgainAtOnce) {
  HeldBuffers held(100);
  Waiting first, second, busy;
  held.Begin(first, 1, 5);
  held.Begin(second, 1, 0);
  int place = held.Begin(busy, 1, 0);
  EXPECT_EQ(held.Idle(HeldBuffers::kLong), nullptr) << "not for long enough";
  const uint32_t now = HeldBuffers::kLong + 10;
  held.Ask(place, now);
  EXPECT_EQ(held.Idle(now), &second);
  EXPECT_EQ(held.Idle(now), &first);
  EXPECT_EQ(held.Idle(now), nullptr);
  held.Ask(place, now + HeldBuffers::kLong);
  EXPECT_NE(held.Idle(now + HeldBuffers::kLong + 1), nullptr);
}

}  // namespace
}  // namespace proactor::internal
