// SPDX-License-Identifier: Apache-2.0

// What micro_benchmark measures: for each noun a function that yields its cases, with their bars.
//
//   for (const MicroCase& micro_case : CoroutineCases()) ...
//
// A yardstick is the least code that does the same for a user who needs no more than that.
#ifndef PROACTOR_TESTS_BENCHMARK_MICRO_CASES_H_
#define PROACTOR_TESTS_BENCHMARK_MICRO_CASES_H_

#include <vector>

#include "proactor/scheduler.h"
#include "tests/benchmark/micro_comparison.h"

namespace proactor::benchmark {

// The one that all cases run on, on the backend that `Run` would choose.
Scheduler& MicroScheduler();

std::vector<MicroCase> CancelCases();
std::vector<MicroCase> CoroutineCases();
std::vector<MicroCase> SyncCases();
std::vector<MicroCase> TimerCases();

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_MICRO_CASES_H_
