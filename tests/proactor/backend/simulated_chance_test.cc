// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_chance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace proactor {
namespace {

using ::testing::ElementsAre;

std::vector<uint64_t> Some(uint64_t seed) {
  SimulatedChance chance(seed);
  std::vector<uint64_t> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(chance.Below(1000));
  return answers;
}

// A change of these numbers changes every simulation: seeds that people wrote down lose their meaning.
TEST(SimulatedChanceTest, AnswersAreTheSameOnEveryMachine) {
  EXPECT_THAT(Some(1), ElementsAre(465, 519, 590, 235, 761));
  EXPECT_THAT(Some(2), ElementsAre(110, 226, 951, 236, 649));
}

TEST(SimulatedChanceTest, NeighbouringSeedsAreUnrelated) { EXPECT_NE(Some(1), Some(2)); }

TEST(SimulatedChanceTest, EveryAnswerComesUp) {
  SimulatedChance chance(7);
  std::array<int, 10> counts = {};
  for (int i = 0; i < 10'000; ++i) ++counts[chance.Below(10)];
  for (int count : counts) {
    EXPECT_GT(count, 900);
    EXPECT_LT(count, 1100);
  }
}

TEST(SimulatedChanceTest, APartIsBetweenOneByteAndAll) {
  SimulatedChance chance(7);
  int all = 0;
  int one = 0;
  int between = 0;
  for (int i = 0; i < 1000; ++i) {
    size_t part = chance.Part(100);
    ASSERT_GE(part, 1);
    ASSERT_LE(part, 100);
    ++(part == 100 ? all : part == 1 ? one : between);
  }
  EXPECT_GT(all, 400);
  EXPECT_GT(one, 80);
  EXPECT_GT(between, 250);
}

TEST(SimulatedChanceTest, NothingHasNoPart) { EXPECT_EQ(SimulatedChance(7).Part(0), 0); }

TEST(SimulatedChanceTest, APartIsTheWholeWithoutShortTransfers) {
  SimulatedChance chance(7, false);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(chance.Part(100), 100);
}

}  // namespace
}  // namespace proactor
