// SPDX-License-Identifier: Apache-2.0

// Measures what takes nanoseconds, next to the least that would do the same.
//
//   MicroCase{.name = "child coroutine", .subject = &AwaitTasks, .yardstick = &AwaitBareTasks, .bar = AtMost(1.2)}
//   MicroResult result = Measure(micro_case, {});
//   std::fputs(FormatLine(micro_case, result).c_str(), stdout);
//
// Windows of a few milliseconds go around in the order yardstick, subject, yardstick again, and back; only figures of
// one round are compared, and the median over the rounds counts. The second yardstick is the null test, which widens
// the bar as in bars.h. Time is the thread's CPU time, so that being preempted does not count.
#ifndef PROACTOR_TESTS_BENCHMARK_MICRO_COMPARISON_H_
#define PROACTOR_TESTS_BENCHMARK_MICRO_COMPARISON_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "tests/benchmark/statistics.h"
#include "tests/benchmark/verdict.h"

namespace proactor::benchmark {

struct MicroBar {
  enum Figure { kRatio, kAddedNanoseconds };
  Figure figure;
  double limit;
};

// Of what the yardstick takes.
inline MicroBar AtMost(double ratio) { return {MicroBar::kRatio, ratio}; }
// To what the yardstick takes.
inline MicroBar AddsAtMost(double nanoseconds) { return {MicroBar::kAddedNanoseconds, nanoseconds}; }

// Both functions do their thing so many times: a multiple of `batch`.
//
// Where the bar is about how something grows, part of that growth may be the machine's. Two more functions show which:
// `bare_subject` and `bare_yardstick`, the least that would do the same. The figure is then how many nanoseconds the
// subject takes more than its yardstick, divided by how many more the bare subject takes than its own.
struct MicroCase {
  std::string name;
  std::function<void(int64_t times)> subject;
  std::function<void(int64_t times)> yardstick;
  MicroBar bar;
  int64_t batch = 1;
  std::function<void(int64_t times)> bare_subject = nullptr;
  std::function<void(int64_t times)> bare_yardstick = nullptr;
};

struct MicroMethod {
  int rounds = 50;
  absl::Duration window = absl::Milliseconds(2);
};

struct MicroResult {
  double subject_nanoseconds;         // Medians.
  double yardstick_nanoseconds;       //
  Quartiles figure;                   // What the bar is about.
  double null_test;                   // The same figure of the yardstick next to itself.
  double bare_subject_nanoseconds;    // 0 where there are none.
  double bare_yardstick_nanoseconds;  //
  double widened_limit;
  Verdict verdict;
};

MicroResult Measure(const MicroCase& micro_case, const MicroMethod& method);

// The heads of the columns, and one line for each result.
std::string FormatHead();
std::string FormatLine(const MicroCase& micro_case, const MicroResult& result);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_MICRO_COMPARISON_H_
