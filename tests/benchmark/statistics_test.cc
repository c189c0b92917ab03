// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/statistics.h"

#include <gtest/gtest.h>

namespace proactor::benchmark {
namespace {

TEST(StatisticsTest, QuartilesOfUnsortedSamples) {
  const Quartiles quartiles = QuartilesOf({5, 1, 4, 2, 3});
  EXPECT_DOUBLE_EQ(quartiles.lower, 2);
  EXPECT_DOUBLE_EQ(quartiles.median, 3);
  EXPECT_DOUBLE_EQ(quartiles.upper, 4);
}

TEST(StatisticsTest, QuartilesBetweenSamplesAreInterpolated) {
  const Quartiles quartiles = QuartilesOf({1, 2, 3, 4});
  EXPECT_DOUBLE_EQ(quartiles.lower, 1.75);
  EXPECT_DOUBLE_EQ(quartiles.median, 2.5);
  EXPECT_DOUBLE_EQ(quartiles.upper, 3.25);
}

TEST(StatisticsTest, OneSampleIsAllThreeQuartiles) {
  const Quartiles quartiles = QuartilesOf({7});
  EXPECT_DOUBLE_EQ(quartiles.lower, 7);
  EXPECT_DOUBLE_EQ(quartiles.median, 7);
  EXPECT_DOUBLE_EQ(quartiles.upper, 7);
}

TEST(StatisticsTest, NoiseFactorIsTheSameInBothDirections) {
  EXPECT_DOUBLE_EQ(NoiseFactor(1.25), 1.25);
  EXPECT_DOUBLE_EQ(NoiseFactor(0.8), 1.25);
  EXPECT_DOUBLE_EQ(NoiseFactor(1), 1);
}

}  // namespace
}  // namespace proactor::benchmark
