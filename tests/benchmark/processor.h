// SPDX-License-Identifier: Apache-2.0

// A processor of one's own, as far as the machine gives it.
#ifndef PROACTOR_TESTS_BENCHMARK_PROCESSOR_H_
#define PROACTOR_TESTS_BENCHMARK_PROCESSOR_H_

namespace proactor::benchmark {

// Moves the calling thread to this processor, under SCHED_RR. Either may not be permitted: then the thread goes on
// without it, and a note on standard error says what it means for the numbers. Safe between fork and exec.
void TakeProcessor(int processor);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_PROCESSOR_H_
