// SPDX-License-Identifier: Apache-2.0

// How much time has passed, and how much of it the client was busy.
//
//   const Stopwatch stopwatch;  ...  stopwatch.Elapsed(), stopwatch.ClientCpu()
#ifndef PROACTOR_TESTS_BENCHMARK_STOPWATCH_H_
#define PROACTOR_TESTS_BENCHMARK_STOPWATCH_H_

#include <time.h>

#include "absl/time/time.h"

namespace proactor::benchmark {

class Stopwatch {
 public:
  absl::Duration Elapsed() const { return Read(CLOCK_MONOTONIC) - began_; }
  absl::Duration ClientCpu() const { return Read(CLOCK_PROCESS_CPUTIME_ID) - client_cpu_; }

 private:
  static absl::Duration Read(clockid_t clock) {
    timespec time;
    clock_gettime(clock, &time);
    return absl::DurationFromTimespec(time);
  }

  absl::Duration client_cpu_ = Read(CLOCK_PROCESS_CPUTIME_ID);
  absl::Duration began_ = Read(CLOCK_MONOTONIC);
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_STOPWATCH_H_
