// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/micro_comparison.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/benchmark/stopwatch.h"

namespace proactor::benchmark {
namespace {

using Function = std::function<void(int64_t times)>;

double Nanoseconds(const Function& function, int64_t times) {
  const Stopwatch stopwatch;
  function(times);
  return absl::ToDoubleNanoseconds(stopwatch.ClientCpu());
}

// How many times fill a window. The doubling runs warm everything up, too.
int64_t TimesPerWindow(const Function& function, int64_t batch, absl::Duration window) {
  const double wanted = absl::ToDoubleNanoseconds(window);
  for (int64_t batches = 1;; batches *= 2) {
    const double taken = Nanoseconds(function, batches * batch);
    if (taken < wanted / 2) continue;
    return batch * std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(batches) * wanted / taken));
  }
}

// One function, called for a window in each round.
struct Contestant {
  const Function& function;
  int64_t times;
  std::vector<double> nanoseconds = {};  // Each time, one figure for each round.

  Contestant(const Function& function, int64_t batch, absl::Duration window)
      : function(function), times(TimesPerWindow(function, batch, window)) {}
  void Play() { nanoseconds.push_back(Nanoseconds(function, times) / static_cast<double>(times)); }
};

Quartiles Figures(const MicroBar& bar, const Contestant& contestant, const Contestant& yardstick) {
  std::vector<double> figures;
  for (size_t round = 0; round < contestant.nanoseconds.size(); ++round) {
    const double own = contestant.nanoseconds[round];
    const double reference = yardstick.nanoseconds[round];
    figures.push_back(bar.figure == MicroBar::kRatio ? own / reference : own - reference);
  }
  return QuartilesOf(std::move(figures));
}

}  // namespace

MicroResult Measure(const MicroCase& micro_case, const MicroMethod& method) {
  Contestant yardstick(micro_case.yardstick, micro_case.batch, method.window);
  Contestant subject(micro_case.subject, micro_case.batch, method.window);
  Contestant null_test(micro_case.yardstick, micro_case.batch, method.window);
  std::vector<Contestant*> order = {&yardstick, &subject, &null_test};
  for (int round = 0; round < method.rounds; ++round) {
    for (Contestant* contestant : order) contestant->Play();
    std::reverse(order.begin(), order.end());
  }
  const MicroBar& bar = micro_case.bar;
  const Quartiles figure = Figures(bar, subject, yardstick);
  const double noise = Figures(bar, null_test, yardstick).median;
  const double widened = bar.figure == MicroBar::kRatio ? bar.limit * NoiseFactor(noise) : bar.limit + std::abs(noise);
  return {
      .subject_nanoseconds = QuartilesOf(subject.nanoseconds).median,
      .yardstick_nanoseconds = QuartilesOf(yardstick.nanoseconds).median,
      .figure = figure,
      .null_test = noise,
      .widened_limit = widened,
      .verdict = VerdictOf(figure.median, bar.limit, widened),
  };
}

std::string FormatHead() {
  return absl::StrFormat("%-44s %10s %10s  %-24s %9s  %s\n", "", "ns", "yardstick", "figure (quartiles)", "null test",
                         "bar");
}

std::string FormatLine(const MicroCase& micro_case, const MicroResult& result) {
  const MicroBar& bar = micro_case.bar;
  const char* sign = bar.figure == MicroBar::kRatio ? "x" : "+ns";
  const std::string figure =
      absl::StrFormat("%.2f (%.2f-%.2f)", result.figure.median, result.figure.lower, result.figure.upper);
  return absl::StrFormat("%-44s %10.1f %10.1f  %-24s %9.2f  %5.2f %-5s %s\n", micro_case.name,
                         result.subject_nanoseconds, result.yardstick_nanoseconds, figure, result.null_test, bar.limit,
                         sign, Word(result.verdict));
}

}  // namespace proactor::benchmark
