// SPDX-License-Identifier: Apache-2.0

// What a person reads: one table for each cell, and a verdict against the bars.
#ifndef PROACTOR_TESTS_BENCHMARK_REPORT_H_
#define PROACTOR_TESTS_BENCHMARK_REPORT_H_

#include <string>

#include "tests/benchmark/comparison.h"

namespace proactor::benchmark {

// What every server but the yardstick must keep to; 0 for no bar.
struct Bars {
  double cpu_ratio = 0;
  double user_microseconds = 0;
};

enum class Verdict {
  kMet,          // at or below the bar itself
  kWithinNoise,  // above the bar, by no more than the same run's null test is off
  kMissed,
  kUnknown,  // could not be measured
};

// A ratio is judged against the bar times the noise factor of the null test, a time against the bar plus the difference
// between the yardstick's two figures: what one run cannot tell apart is not held against a server.
Verdict JudgeCpuRatio(const CellResult& result, const ServerResult& server, double bar);
Verdict JudgeUserMicroseconds(const CellResult& result, const ServerResult& server, double bar);

std::string FormatTable(const CellResult& result, const Method& method);

// One line for each server and bar. `passed` becomes false when one of them is missed or unknown.
std::string FormatVerdicts(const CellResult& result, const Bars& bars, bool& passed);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_REPORT_H_
