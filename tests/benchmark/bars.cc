// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/bars.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "absl/strings/str_format.h"
#include "tests/benchmark/statistics.h"

namespace proactor::benchmark {
namespace {

const ServerResult* Find(const CellResult& result, std::string_view name) {
  const auto found = std::ranges::find(result.servers, name, &ServerResult::name);
  return found == result.servers.end() ? nullptr : &*found;
}

Judgement JudgeCpuRatio(const CellResult& result, const Bar& bar, const ServerResult& server,
                        const ServerResult& reference) {
  const double figure = CpuRatio(server, reference).median;
  const double widened = bar.limit * NoiseFactor(CpuRatio(result.null_test(), result.yardstick()).median);
  return {bar, figure, widened, VerdictOf(figure, bar.limit, widened)};
}

Judgement JudgeUserTime(const CellResult& result, const Bar& bar, const ServerResult& server) {
  if (!result.user_time_status.ok()) return {bar, 0, bar.limit, Verdict::kNotMeasured};
  const double noise = std::abs(result.null_test().user_microseconds - result.yardstick().user_microseconds);
  const double widened = bar.limit + noise;
  return {bar, server.user_microseconds, widened, VerdictOf(server.user_microseconds, bar.limit, widened)};
}

std::string Format(const Judgement& judgement) {
  const Bar& bar = judgement.bar;
  const std::string unit =
      bar.figure == Bar::kCpuRatio ? "x CPU of " + std::string(bar.reference) : std::string("us user CPU");
  return absl::StrFormat("  %-13s %-12s %-18s %.3f %s (bar %.3f, widened by the null test to %.3f)\n",
                         Word(judgement.verdict), std::string(bar.cell), std::string(bar.server), judgement.figure,
                         unit, bar.limit, judgement.widened_limit);
}

}  // namespace

std::vector<Bar> AllBars() {
  std::vector<Bar> bars(std::begin(kBars), std::end(kBars));
  for (std::string_view cell : kPoolCells) {
    bars.push_back({cell, "proactor_pool", Bar::kCpuRatio, 1.10, "raw_ring"});
    bars.push_back({cell, "proactor_pool", Bar::kCpuRatio, 1.10, "raw_multishot"});
    bars.push_back({cell, "proactor_pool", Bar::kCpuRatio, 1.00, "proactor_io_uring"});
  }
  return bars;
}

std::vector<Judgement> Judge(const CellResult& result, std::span<const Bar> bars) {
  std::vector<Judgement> judgements;
  for (const Bar& bar : bars) {
    const ServerResult* server = Find(result, bar.server);
    const ServerResult* reference = bar.figure == Bar::kCpuRatio ? Find(result, bar.reference) : &result.yardstick();
    if (bar.cell != result.cell.Name() || server == nullptr || reference == nullptr) continue;
    judgements.push_back(bar.figure == Bar::kCpuRatio ? JudgeCpuRatio(result, bar, *server, *reference)
                                                      : JudgeUserTime(result, bar, *server));
  }
  return judgements;
}

std::string FormatJudgements(std::span<const Judgement> judgements) {
  std::string text;
  for (const Judgement& judgement : judgements) text += Format(judgement);
  const auto passed = std::ranges::count_if(judgements, &Judgement::Passed);
  absl::StrAppendFormat(&text, "%d of %d bars passed\n", passed, judgements.size());
  return text;
}

}  // namespace proactor::benchmark
