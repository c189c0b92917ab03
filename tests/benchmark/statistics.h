// SPDX-License-Identifier: Apache-2.0

// Medians and quartiles: on a machine whose speed drifts, they say more than a mean, and one disturbed window cannot
// move them.
#ifndef PROACTOR_TESTS_BENCHMARK_STATISTICS_H_
#define PROACTOR_TESTS_BENCHMARK_STATISTICS_H_

#include <vector>

namespace proactor::benchmark {

struct Quartiles {
  double lower = 0;
  double median = 0;
  double upper = 0;
};

// Of at least one sample; interpolated linearly between the two nearest.
Quartiles QuartilesOf(std::vector<double> samples);

// How far a null test, the ratio of two runs of the same thing, is from 1: always 1 or more, and the same for a ratio
// and its inverse. What differs by less than this factor, the machine cannot tell apart at the moment.
double NoiseFactor(double null_test_ratio);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_STATISTICS_H_
