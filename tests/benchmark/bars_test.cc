// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/bars.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/comparison.h"

namespace proactor::benchmark {
namespace {

constexpr Bar kRatioBar = {"c50s64p1", "ours", Bar::kCpuRatio, 1.10, "raw"};
constexpr Bar kUserBar = {"c50s64p1", "ours", Bar::kUserMicroseconds, .15};

ServerResult Server(const char* name, std::vector<double> cpu_microseconds, double user_microseconds = 0) {
  ServerResult result;
  result.name = name;
  result.cpu_microseconds = std::move(cpu_microseconds);
  result.user_microseconds = user_microseconds;
  return result;
}

// Three rounds against a yardstick whose null test is 2 % and .01 us off. The other server costs twice the yardstick.
CellResult Result(double cpu_ratio, double user_microseconds) {
  CellResult result;
  result.servers = {Server("raw", {1, 5, 3}, .06),
                    Server("ours", {cpu_ratio, 5 * cpu_ratio, 3 * cpu_ratio}, user_microseconds),
                    Server("other", {2, 10, 6}), Server("raw, null test", {.98, 5 * .98, 3 * .98}, .07)};
  return result;
}

Verdict JudgeOne(const CellResult& result, const Bar& bar) {
  const std::vector<Judgement> judgements = Judge(result, {&bar, 1});
  EXPECT_EQ(judgements.size(), 1u);
  return judgements.front().verdict;
}

Verdict JudgeRatio(double ratio) { return JudgeOne(Result(ratio, 0), kRatioBar); }
Verdict JudgeUser(double microseconds) { return JudgeOne(Result(1, microseconds), kUserBar); }

TEST(BarsTest, RatioMayExceedItsBarByTheFactorOfTheNullTest) {
  EXPECT_EQ(JudgeRatio(1.099), Verdict::kMet);
  EXPECT_EQ(JudgeRatio(1.101), Verdict::kWithinNoise);
  EXPECT_EQ(JudgeRatio(1.122), Verdict::kWithinNoise);
  EXPECT_EQ(JudgeRatio(1.123), Verdict::kMissed);
}

TEST(BarsTest, UserTimeMayExceedItsBarByTheDifferenceInTheNullTest) {
  EXPECT_EQ(JudgeUser(0.150), Verdict::kMet);
  EXPECT_EQ(JudgeUser(0.159), Verdict::kWithinNoise);
  EXPECT_EQ(JudgeUser(0.161), Verdict::kMissed);
}

TEST(BarsTest, ARatioMayBeToAnotherServerThanTheYardstick) {
  constexpr Bar kBar = {"c50s64p1", "ours", Bar::kCpuRatio, 1.00, "other"};
  EXPECT_EQ(JudgeOne(Result(1.9, 0), kBar), Verdict::kMet);
  EXPECT_EQ(JudgeOne(Result(2.1, 0), kBar), Verdict::kMissed);
}

TEST(BarsTest, WhatWasNotMeasuredPassesNoBar) {
  CellResult result = Result(1, 0);
  result.user_time_status = absl::PermissionDeniedError("perf_event_open");
  const std::vector<Judgement> judgements = Judge(result, {&kUserBar, 1});
  ASSERT_EQ(judgements.size(), 1u);
  EXPECT_EQ(judgements.front().verdict, Verdict::kNotMeasured);
  EXPECT_FALSE(judgements.front().Passed());
}

TEST(BarsTest, OfOtherCellsAndAbsentServersNothingIsSaid) {
  constexpr Bar kOthers[] = {{"churn", "ours", Bar::kCpuRatio, 1, "raw"},
                             {"c50s64p1", "absent", Bar::kCpuRatio, 1, "raw"},
                             {"c50s64p1", "ours", Bar::kCpuRatio, 1, "absent"}};
  EXPECT_TRUE(Judge(Result(9, 9), kOthers).empty());
}

TEST(BarsTest, EachBarNamesACellThatThereIs) {
  for (const Bar& bar : AllBars()) EXPECT_TRUE(ParseCell(bar.cell).ok()) << bar.cell;
}

TEST(BarsTest, ALineNamesTheServerItsFigureAndBothBars) {
  constexpr Bar kBoth[] = {kRatioBar, kUserBar};
  EXPECT_EQ(
      FormatJudgements(Judge(Result(1.2, 0.1), kBoth)),
      "  MISSED        c50s64p1     ours               1.200 x CPU of raw (bar 1.100, widened by the null test to "
      "1.122)\n"
      "  met           c50s64p1     ours               0.100 us user CPU (bar 0.150, widened by the null test to "
      "0.160)\n"
      "1 of 2 bars passed\n");
}

}  // namespace
}  // namespace proactor::benchmark
