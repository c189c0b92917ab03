// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/micro_comparison.h"

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor::benchmark {
namespace {

using ::testing::HasSubstr;

// So much work that no clock and no interruption can turn the order around.
void Work(int64_t times) {
  volatile int64_t sum = 0;
  for (int64_t i = 0; i < times; ++i) sum = sum + i;
}
void FiftyTimesTheWork(int64_t times) { Work(50 * times); }

constexpr MicroMethod kShort = {.rounds = 3, .window = absl::Microseconds(200)};

TEST(MicroComparisonTest, FindsWhatTakesMuchLonger) {
  MicroResult result = Measure({"", &FiftyTimesTheWork, &Work, AtMost(2)}, kShort);
  EXPECT_GT(result.figure.median, 2);
  EXPECT_GT(result.subject_nanoseconds, result.yardstick_nanoseconds);
}

TEST(MicroComparisonTest, FindsWhatTakesMuchLess) {
  MicroResult result = Measure({"", &Work, &FiftyTimesTheWork, AtMost(.5)}, kShort);
  EXPECT_LT(result.figure.median, .5);
  EXPECT_EQ(result.verdict, Verdict::kMet);
}

TEST(MicroComparisonTest, WhatIsAddedIsADifference) {
  MicroResult result = Measure({"", &Work, &FiftyTimesTheWork, AddsAtMost(0)}, kShort);
  EXPECT_LT(result.figure.median, 0);
  EXPECT_EQ(result.verdict, Verdict::kMet);
}

TEST(MicroComparisonTest, GrowthIsDividedByWhatTheBareFunctionsGrow) {
  MicroCase micro_case = {.name = "",
                          .subject = &FiftyTimesTheWork,
                          .yardstick = &Work,
                          .bar = AtMost(3),
                          .bare_subject = &FiftyTimesTheWork,
                          .bare_yardstick = &Work};
  MicroResult result = Measure(micro_case, kShort);
  EXPECT_GT(result.bare_subject_nanoseconds, 2 * result.bare_yardstick_nanoseconds);
  EXPECT_GT(result.figure.median, .1);
  EXPECT_LT(result.figure.median, 10);
  EXPECT_THAT(FormatLine(micro_case, result), HasSubstr("(bare "));
}

TEST(MicroComparisonTest, RunsWholeBatches) {
  bool whole = true;
  auto work = [&](int64_t times) {
    whole = whole && times % 7 == 0;
    Work(times);
  };
  Measure({"", work, work, AtMost(2), 7}, kShort);
  EXPECT_TRUE(whole);
}

TEST(MicroComparisonTest, ALineSaysTheBarAndTheVerdict) {
  MicroResult result = {.subject_nanoseconds = 12,
                        .yardstick_nanoseconds = 10,
                        .figure = {1.1, 1.2, 1.3},
                        .null_test = 1.01,
                        .bare_subject_nanoseconds = 0,
                        .bare_yardstick_nanoseconds = 0,
                        .widened_limit = 1.1,
                        .verdict = Verdict::kMissed};
  std::string line = FormatLine({"a thing / a yardstick", nullptr, nullptr, AtMost(1.1)}, result);
  EXPECT_THAT(line, HasSubstr("a thing / a yardstick"));
  EXPECT_THAT(line, HasSubstr("1.20 (1.10-1.30)"));
  EXPECT_THAT(line, HasSubstr("1.10 x     MISSED"));
}

}  // namespace
}  // namespace proactor::benchmark
