// SPDX-License-Identifier: Apache-2.0
#include "proactor/counters.h"

#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace proactor {
namespace {

TEST(CountersTest, BeginAtZero) {
  Counters counters;
  EXPECT_EQ(counters.turns.value(), 0);
  EXPECT_EQ(counters.wakes_elided.value(), 0);
}

TEST(CountersTest, AddOneOrMany) {
  Counter counter;
  counter.Add();
  counter.Add(41);
  EXPECT_EQ(counter.value(), 42);
  counter.AddShared();
  counter.AddShared(7);
  EXPECT_EQ(counter.value(), 50);
}

TEST(CountersTest, DoNotOverflowAtThirtyTwoBits) {
  Counter counter;
  counter.Add(int64_t{1} << 40);
  counter.Add(1);
  EXPECT_EQ(counter.value(), (int64_t{1} << 40) + 1);
}

TEST(CountersTest, SharedOnesLoseNothingBetweenThreads) {
  static constexpr int kThreads = 3;
  static constexpr int kTimes = 20'000;
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kTimes; ++j) counter.AddShared();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), kThreads * kTimes);
}

// Under ThreadSanitizer also: without a race.
TEST(CountersTest, AReaderSeesTheWriterGoForward) {
  static constexpr int kTimes = 20'000;
  Counter counter;
  std::thread writer([&] {
    for (int i = 0; i < kTimes; ++i) counter.Add();
  });
  int64_t last = 0;
  int backwards = 0;
  while (last < kTimes) {
    int64_t seen = counter.value();
    if (seen < last) ++backwards;
    last = seen;
  }
  writer.join();
  EXPECT_EQ(backwards, 0);
}

}  // namespace
}  // namespace proactor
