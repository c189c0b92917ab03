// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/micro_comparison.h"

#include <algorithm>
#include <cmath>
#include <optional>
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

Quartiles GrowthFigures(const Contestant& subject, const Contestant& yardstick, const Contestant& bare_subject,
                        const Contestant& bare_yardstick) {
  std::vector<double> figures;
  for (size_t round = 0; round < subject.nanoseconds.size(); ++round) {
    figures.push_back((subject.nanoseconds[round] - yardstick.nanoseconds[round]) /
                      (bare_subject.nanoseconds[round] - bare_yardstick.nanoseconds[round]));
  }
  return QuartilesOf(std::move(figures));
}

double MedianOf(const std::optional<Contestant>& contestant) {
  return contestant.has_value() ? QuartilesOf(contestant->nanoseconds).median : 0;
}

}  // namespace

MicroResult Measure(const MicroCase& micro_case, const MicroMethod& method) {
  Contestant yardstick(micro_case.yardstick, micro_case.batch, method.window);
  Contestant subject(micro_case.subject, micro_case.batch, method.window);
  Contestant null_test(micro_case.yardstick, micro_case.batch, method.window);
  std::vector<Contestant*> order = {&yardstick, &subject, &null_test};
  std::optional<Contestant> bare_subject, bare_yardstick;
  if (micro_case.bare_subject != nullptr) {
    order.push_back(&bare_yardstick.emplace(micro_case.bare_yardstick, micro_case.batch, method.window));
    order.push_back(&bare_subject.emplace(micro_case.bare_subject, micro_case.batch, method.window));
  }
  for (int round = 0; round < method.rounds; ++round) {
    for (Contestant* contestant : order) contestant->Play();
    std::reverse(order.begin(), order.end());
  }
  const MicroBar& bar = micro_case.bar;
  const Quartiles figure = bare_subject.has_value() ? GrowthFigures(subject, yardstick, *bare_subject, *bare_yardstick)
                                                    : Figures(bar, subject, yardstick);
  const double noise = Figures(bar, null_test, yardstick).median;
  const double widened = bar.figure == MicroBar::kRatio ? bar.limit * NoiseFactor(noise) : bar.limit + std::abs(noise);
  return {
      .subject_nanoseconds = QuartilesOf(subject.nanoseconds).median,
      .yardstick_nanoseconds = QuartilesOf(yardstick.nanoseconds).median,
      .figure = figure,
      .null_test = noise,
      .bare_subject_nanoseconds = MedianOf(bare_subject),
      .bare_yardstick_nanoseconds = MedianOf(bare_yardstick),
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
  const std::string bare =
      micro_case.bare_subject == nullptr
          ? ""
          : absl::StrFormat(" (bare %.1f, %.1f)", result.bare_subject_nanoseconds, result.bare_yardstick_nanoseconds);
  return absl::StrFormat("%-44s %10.1f %10.1f  %-24s %9.2f  %5.2f %-5s %s%s\n", micro_case.name,
                         result.subject_nanoseconds, result.yardstick_nanoseconds, figure, result.null_test, bar.limit,
                         sign, Word(result.verdict), bare);
}

}  // namespace proactor::benchmark
