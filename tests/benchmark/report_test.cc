// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/report.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "tests/benchmark/comparison.h"

namespace proactor::benchmark {
namespace {

ServerResult Server(const char* name, double cpu_ratio, double user_microseconds) {
  ServerResult result;
  result.name = name;
  result.cpu_ratio = {.lower = cpu_ratio, .median = cpu_ratio, .upper = cpu_ratio};
  result.user_microseconds = user_microseconds;
  return result;
}

// One server against a yardstick whose null test is 2 % and .01 us off.
CellResult Result(double cpu_ratio, double user_microseconds) {
  CellResult result;
  result.servers = {Server("raw", 1, 0.06), Server("ours", cpu_ratio, user_microseconds),
                    Server("raw, null test", 0.98, 0.07)};
  return result;
}

Verdict JudgeRatio(double ratio, double bar) {
  const CellResult result = Result(ratio, 0.1);
  return JudgeCpuRatio(result, result.servers[1], bar);
}

Verdict JudgeUser(double microseconds, double bar) {
  const CellResult result = Result(1, microseconds);
  return JudgeUserMicroseconds(result, result.servers[1], bar);
}

TEST(ReportTest, RatioMayExceedItsBarByTheFactorOfTheNullTest) {
  EXPECT_EQ(JudgeRatio(1.100, 1.10), Verdict::kMet);
  EXPECT_EQ(JudgeRatio(1.101, 1.10), Verdict::kWithinNoise);
  EXPECT_EQ(JudgeRatio(1.122, 1.10), Verdict::kWithinNoise);
  EXPECT_EQ(JudgeRatio(1.123, 1.10), Verdict::kMissed);
}

TEST(ReportTest, UserTimeMayExceedItsBarByTheDifferenceInTheNullTest) {
  EXPECT_EQ(JudgeUser(0.150, 0.15), Verdict::kMet);
  EXPECT_EQ(JudgeUser(0.159, 0.15), Verdict::kWithinNoise);
  EXPECT_EQ(JudgeUser(0.161, 0.15), Verdict::kMissed);
}

TEST(ReportTest, WhatWasNotMeasuredPassesNoBar) {
  CellResult result = Result(1, 0);
  result.user_time_status = absl::PermissionDeniedError("perf_event_open");
  EXPECT_EQ(JudgeUserMicroseconds(result, result.servers[1], 0.15), Verdict::kUnknown);
  bool passed = true;
  FormatVerdicts(result, {.cpu_ratio = 0, .user_microseconds = 0.15}, passed);
  EXPECT_FALSE(passed);
}

TEST(ReportTest, VerdictNamesTheServerItsFigureAndBothBars) {
  bool passed = true;
  EXPECT_EQ(FormatVerdicts(Result(1.2, 0.1), {.cpu_ratio = 1.1, .user_microseconds = 0.15}, passed),
            "  MISSED: ours CPU ratio 1.200 (bar 1.100, widened by the null test to 1.122)\n"
            "  met: ours user CPU us/msg 0.100 (bar 0.150, widened by the null test to 0.160)\n");
  EXPECT_FALSE(passed);
}

TEST(ReportTest, NoBarMeansNoVerdict) {
  bool passed = true;
  EXPECT_EQ(FormatVerdicts(Result(9, 9), {}, passed), "");
  EXPECT_TRUE(passed);
}

}  // namespace
}  // namespace proactor::benchmark
