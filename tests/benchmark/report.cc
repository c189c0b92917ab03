// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/report.h"

#include <cmath>
#include <string_view>

#include "absl/strings/str_format.h"

namespace proactor::benchmark {
namespace {

Verdict Judge(double figure, double bar, double widened_bar) {
  if (figure <= bar) return Verdict::kMet;
  return figure <= widened_bar ? Verdict::kWithinNoise : Verdict::kMissed;
}

double WidenedCpuRatio(const CellResult& result, double bar) {
  return bar * NoiseFactor(result.null_test().cpu_ratio.median);
}

double WidenedUserMicroseconds(const CellResult& result, double bar) {
  return bar + std::abs(result.null_test().user_microseconds - result.yardstick().user_microseconds);
}

std::string_view Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMet:
      return "met";
    case Verdict::kWithinNoise:
      return "within noise";
    case Verdict::kMissed:
      return "MISSED";
    case Verdict::kUnknown:
      return "NOT MEASURED";
  }
  return "";
}

std::string FormatRatio(const CellResult& result, const ServerResult& server, const Quartiles& ratio) {
  if (&server == &result.yardstick()) return "yardstick";
  return absl::StrFormat("%.3f (%.3f-%.3f)", ratio.median, ratio.lower, ratio.upper);
}

std::string FormatUserTime(const CellResult& result, const ServerResult& server) {
  if (!result.user_time_status.ok()) return "-";
  return absl::StrFormat("%.3f +-%.3f", server.user_microseconds, server.user_microseconds_deviation);
}

}  // namespace

Verdict JudgeCpuRatio(const CellResult& result, const ServerResult& server, double bar) {
  return Judge(server.cpu_ratio.median, bar, WidenedCpuRatio(result, bar));
}

Verdict JudgeUserMicroseconds(const CellResult& result, const ServerResult& server, double bar) {
  if (!result.user_time_status.ok()) return Verdict::kUnknown;
  return Judge(server.user_microseconds, bar, WidenedUserMicroseconds(result, bar));
}

std::string FormatTable(const CellResult& result, const Method& method) {
  std::string text = absl::StrFormat("%s: %d rounds of %d ms\n", result.cell.Name(), method.rounds,
                                     absl::ToInt64Milliseconds(method.window));
  absl::StrAppendFormat(&text, "  %-26s %9s  %-21s  %-21s  %-14s %9s  %s\n", "", "CPU", "CPU ratio, median",
                        "messages/s", "user CPU", "", "CPU busy");
  absl::StrAppendFormat(&text, "  %-26s %9s  %-21s  %-21s  %-14s %9s  %s\n", "", "us/msg", "(quartiles)", "ratio",
                        "us/msg", "msg/s", "server client");
  for (const ServerResult& server : result.servers) {
    absl::StrAppendFormat(&text, "  %-26s %9.3f  %-21s  %-21s  %-14s %9.0f  %5.0f%% %5.0f%%\n", server.name,
                          server.cpu_microseconds.median, FormatRatio(result, server, server.cpu_ratio),
                          FormatRatio(result, server, server.throughput_ratio), FormatUserTime(result, server),
                          server.messages_per_second.median, 100 * server.server_cpu_share.median,
                          100 * server.client_cpu_share.median);
  }
  if (!result.user_time_status.ok()) {
    absl::StrAppendFormat(&text, "  no user CPU: %s\n", std::string(result.user_time_status.message()));
  }
  return text;
}

std::string FormatVerdicts(const CellResult& result, const Bars& bars, bool& passed) {
  std::string text;
  const auto add = [&](const ServerResult& server, std::string_view what, double figure, Verdict verdict, double bar,
                       double widened_bar) {
    absl::StrAppendFormat(&text, "  %s: %s %s %.3f (bar %.3f, widened by the null test to %.3f)\n",
                          std::string(Word(verdict)), server.name, std::string(what), figure, bar, widened_bar);
    if (verdict == Verdict::kMissed || verdict == Verdict::kUnknown) passed = false;
  };
  for (size_t i = 1; i + 1 < result.servers.size(); ++i) {
    const ServerResult& server = result.servers[i];
    if (bars.cpu_ratio > 0) {
      add(server, "CPU ratio", server.cpu_ratio.median, JudgeCpuRatio(result, server, bars.cpu_ratio), bars.cpu_ratio,
          WidenedCpuRatio(result, bars.cpu_ratio));
    }
    if (bars.user_microseconds > 0) {
      add(server, "user CPU us/msg", server.user_microseconds,
          JudgeUserMicroseconds(result, server, bars.user_microseconds), bars.user_microseconds,
          WidenedUserMicroseconds(result, bars.user_microseconds));
    }
  }
  return text;
}

}  // namespace proactor::benchmark
