// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/statistics.h"

#include <algorithm>
#include <cmath>

namespace proactor::benchmark {
namespace {

double Quantile(const std::vector<double>& sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

Quartiles QuartilesOf(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {.lower = Quantile(samples, 0.25), .median = Quantile(samples, 0.5), .upper = Quantile(samples, 0.75)};
}

double NoiseFactor(double null_test_ratio) { return std::max(null_test_ratio, 1 / null_test_ratio); }

}  // namespace proactor::benchmark
