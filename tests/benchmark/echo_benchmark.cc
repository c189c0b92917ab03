// SPDX-License-Identifier: Apache-2.0

// Compares echo servers with a yardstick, under a load of its own. See README.md in this directory.
//
//   echo_benchmark --yardstick=raw=./raw_ring_echo --servers=proactor=./proactor_echo --cells=c50s64p1,c1000s64p1

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/comparison.h"
#include "tests/benchmark/report.h"
#include "tests/benchmark/server_process.h"

ABSL_FLAG(std::string, yardstick, "", "NAME=COMMAND of the server that the others are measured against");
ABSL_FLAG(std::vector<std::string>, servers, {}, "NAME=COMMAND of the others, separated by commas");
ABSL_FLAG(std::vector<std::string>, cells, {"c50s64p1"},
          "shapes of load, separated by commas: c<connections>s<bytes>p<messages in flight>");
ABSL_FLAG(int, rounds, 20, "windows per server and cell; 16 or more to say anything");
ABSL_FLAG(absl::Duration, window, absl::Milliseconds(120), "length of one window");
ABSL_FLAG(absl::Duration, user_time, absl::Seconds(4), "how long to sample user CPU, per server and cell");
ABSL_FLAG(int, server_cpu, 0, "the processor that the servers take turns on");
ABSL_FLAG(int, client_cpu, 1, "the processor of the load generator");
ABSL_FLAG(double, max_cpu_ratio, 0, "bar: each server's CPU per message as a ratio to the yardstick's; 0 for none");
ABSL_FLAG(double, max_user_microseconds, 0, "bar: each server's user CPU per message, in microseconds; 0 for none");

namespace proactor::benchmark {
namespace {

enum ExitCode { kPassed = 0, kBarMissed = 1, kNotMeasured = 2 };

absl::StatusOr<ServerCommand> ParseServer(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not NAME=COMMAND"));
  }
  return ServerCommand{.name = text.substr(0, equals), .command = text.substr(equals + 1)};
}

absl::StatusOr<std::vector<ServerCommand>> ParseServers() {
  std::vector<std::string> texts = {absl::GetFlag(FLAGS_yardstick)};
  for (const std::string& text : absl::GetFlag(FLAGS_servers)) texts.push_back(text);
  std::vector<ServerCommand> servers;
  for (const std::string& text : texts) {
    absl::StatusOr<ServerCommand> server = ParseServer(text);
    if (!server.ok()) return server.status();
    servers.push_back(*server);
  }
  return servers;
}

absl::StatusOr<std::vector<Cell>> ParseCells() {
  std::vector<Cell> cells;
  for (const std::string& name : absl::GetFlag(FLAGS_cells)) {
    absl::StatusOr<Cell> cell = ParseCell(name);
    if (!cell.ok()) return cell.status();
    cells.push_back(*cell);
  }
  return cells;
}

absl::StatusOr<Method> ParseMethod() {
  Method method = {
      .rounds = absl::GetFlag(FLAGS_rounds),
      .window = absl::GetFlag(FLAGS_window),
      .user_time = absl::GetFlag(FLAGS_user_time),
      .server_processor = absl::GetFlag(FLAGS_server_cpu),
      .client_processor = absl::GetFlag(FLAGS_client_cpu),
  };
  if (method.rounds < 1 || method.rounds > 10000) return absl::InvalidArgumentError("--rounds is from 1 to 10000");
  if (method.window < absl::Milliseconds(10) || method.window > absl::Seconds(10)) {
    return absl::InvalidArgumentError("--window is from 10ms to 10s");
  }
  if (method.user_time < absl::ZeroDuration() || method.user_time > absl::Hours(1)) {
    return absl::InvalidArgumentError("--user_time is from 0s to 1h");
  }
  return method;
}

// Every server's connections are open at the same time, and each server inherits the limit.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::StatusOr<bool> RunBenchmark() {
  absl::StatusOr<std::vector<ServerCommand>> servers = ParseServers();
  if (!servers.ok()) return servers.status();
  absl::StatusOr<std::vector<Cell>> cells = ParseCells();
  if (!cells.ok()) return cells.status();
  absl::StatusOr<Method> method = ParseMethod();
  if (!method.ok()) return method.status();
  const Bars bars = {.cpu_ratio = absl::GetFlag(FLAGS_max_cpu_ratio),
                     .user_microseconds = absl::GetFlag(FLAGS_max_user_microseconds)};
  RaiseDescriptorLimit();
  bool passed = true;
  for (const Cell& cell : *cells) {
    absl::StatusOr<CellResult> result = Compare(cell, *servers, *method);
    if (!result.ok()) return result.status();
    std::fputs(FormatTable(*result, *method).c_str(), stdout);
    std::fputs(FormatVerdicts(*result, bars, passed).c_str(), stdout);
    std::fflush(stdout);
  }
  return passed;
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  absl::SetProgramUsageMessage("compares echo servers with a yardstick, by CPU time per message");
  absl::ParseCommandLine(count, arguments);
  absl::StatusOr<bool> passed = proactor::benchmark::RunBenchmark();
  if (!passed.ok()) {
    std::fprintf(stderr, "echo_benchmark: %s\n", std::string(passed.status().message()).c_str());
    return proactor::benchmark::kNotMeasured;
  }
  return *passed ? proactor::benchmark::kPassed : proactor::benchmark::kBarMissed;
}
