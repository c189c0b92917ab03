// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/report.h"

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "tests/benchmark/statistics.h"

namespace proactor::benchmark {
namespace {

std::string FormatRatio(const CellResult& result, const ServerResult& server, const Quartiles& ratio) {
  if (&server == &result.yardstick()) return "yardstick";
  return absl::StrFormat("%.3f (%.3f-%.3f)", ratio.median, ratio.lower, ratio.upper);
}

std::string FormatUserTime(const CellResult& result, const ServerResult& server) {
  if (!result.user_time_status.ok()) return "-";
  return absl::StrFormat("%.3f +-%.3f", server.user_microseconds, server.user_microseconds_deviation);
}

}  // namespace

std::string FormatTable(const CellResult& result, const Method& method) {
  std::string text = absl::StrFormat("%s: %d rounds of %d ms\n", result.cell.Name(), method.rounds,
                                     absl::ToInt64Milliseconds(method.window));
  absl::StrAppendFormat(&text, "  %-26s %9s  %-21s  %-21s  %-14s %9s  %s\n", "", "CPU", "CPU ratio, median",
                        "messages/s", "user CPU", "", "CPU busy");
  absl::StrAppendFormat(&text, "  %-26s %9s  %-21s  %-21s  %-14s %9s  %s\n", "", "us/msg", "(quartiles)", "ratio",
                        "us/msg", "msg/s", "server client");
  for (const ServerResult& server : result.servers) {
    absl::StrAppendFormat(
        &text, "  %-26s %9.3f  %-21s  %-21s  %-14s %9.0f  %5.0f%% %5.0f%%\n", server.name,
        QuartilesOf(server.cpu_microseconds).median, FormatRatio(result, server, CpuRatio(server, result.yardstick())),
        FormatRatio(result, server, server.throughput_ratio), FormatUserTime(result, server),
        server.messages_per_second.median, 100 * server.server_cpu_share.median, 100 * server.client_cpu_share.median);
  }
  if (!result.user_time_status.ok()) {
    absl::StrAppendFormat(&text, "  no user CPU: %s\n", std::string(result.user_time_status.message()));
  }
  return text;
}

}  // namespace proactor::benchmark
