// SPDX-License-Identifier: Apache-2.0

// Compares echo servers in groups, each with a yardstick of its own, under a load of its own, and holds them against
// their bars. See README.md in this directory.
//
//   echo_benchmark --servers=raw=./raw_ring_echo,ours=./proactor_echo --groups=raw:ours --cells=c50s64p1,churn

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "tests/benchmark/bars.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/comparison.h"
#include "tests/benchmark/report.h"
#include "tests/benchmark/server_process.h"

ABSL_FLAG(std::vector<std::string>, servers, {}, "NAME=COMMAND of all servers, separated by commas");
ABSL_FLAG(std::vector<std::string>, groups,
          std::vector<std::string>({"raw_ring:raw_multishot:proactor_pool:proactor_io_uring:proactor_masked",
                                    "raw_epoll:proactor_epoll:asio"}),
          "names of servers that are compared with the first of them, as in YARDSTICK:NAME:NAME, separated by commas");
ABSL_FLAG(std::vector<std::string>, cells,
          std::vector<std::string>({"c50s64p1", "c1000s64p1", "c50s1024p1", "c50s65536p1", "churn"}),
          "shapes of load, separated by commas: c<connections>s<bytes>p<messages in flight>, or churn");
ABSL_FLAG(int, rounds, 20, "windows per server and cell; 16 or more to say anything");
ABSL_FLAG(int, processes, 4, "how many processes of each server, one after the other, share the rounds");
ABSL_FLAG(absl::Duration, window, absl::Milliseconds(120), "length of one window");
ABSL_FLAG(absl::Duration, user_time, absl::Seconds(4), "how long to sample user CPU, per server and cell");
ABSL_FLAG(int, server_cpu, 0, "the processor that the servers take turns on");
ABSL_FLAG(int, client_cpu, 1, "the processor of the load generator");

namespace proactor::benchmark {
namespace {

enum ExitCode { kPassed = 0, kBarMissed = 1, kFailed = 2 };

using Group = std::vector<ServerCommand>;

absl::StatusOr<std::map<std::string, std::string>> ParseServers() {
  std::map<std::string, std::string> commands;
  for (const std::string& text : absl::GetFlag(FLAGS_servers)) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not NAME=COMMAND"));
    }
    commands[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return commands;
}

absl::StatusOr<std::vector<Group>> ParseGroups() {
  absl::StatusOr<std::map<std::string, std::string>> commands = ParseServers();
  if (!commands.ok()) return commands.status();
  std::vector<Group> groups;
  for (const std::string& text : absl::GetFlag(FLAGS_groups)) {
    Group& group = groups.emplace_back();
    for (const std::string& name : std::vector<std::string>(absl::StrSplit(text, ':'))) {
      const auto command = commands->find(name);
      if (command != commands->end()) {
        group.push_back({.name = name, .command = command->second});
      } else if (group.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("no command for the yardstick \"", name, "\" in --servers"));
      } else {
        std::fprintf(stderr, "note: no command for \"%s\" in --servers: it is left out, and so are its bars\n",
                     name.c_str());
      }
    }
  }
  return groups;
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
      .processes = absl::GetFlag(FLAGS_processes),
      .window = absl::GetFlag(FLAGS_window),
      .user_time = absl::GetFlag(FLAGS_user_time),
      .server_processor = absl::GetFlag(FLAGS_server_cpu),
      .client_processor = absl::GetFlag(FLAGS_client_cpu),
  };
  if (method.rounds < 1 || method.rounds > 10000) return absl::InvalidArgumentError("--rounds is from 1 to 10000");
  if (method.processes < 1) return absl::InvalidArgumentError("--processes is 1 or more");
  method.processes = std::min(method.processes, method.rounds);
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

absl::StatusOr<CellResult> Measure(const Cell& cell, const Group& group, const Method& method) {
  absl::StatusOr<CellResult> result = Compare(cell, group, method);
  if (result.ok()) std::fputs(FormatTable(*result, method).c_str(), stdout);
  std::fflush(stdout);
  return result;
}

absl::StatusOr<std::vector<Judgement>> RunBenchmark() {
  absl::StatusOr<std::vector<Group>> groups = ParseGroups();
  if (!groups.ok()) return groups.status();
  absl::StatusOr<std::vector<Cell>> cells = ParseCells();
  if (!cells.ok()) return cells.status();
  absl::StatusOr<Method> method = ParseMethod();
  if (!method.ok()) return method.status();
  RaiseDescriptorLimit();
  std::vector<Judgement> judgements;
  for (const Cell& cell : *cells) {
    for (const Group& group : *groups) {
      absl::StatusOr<CellResult> result = Measure(cell, group, *method);
      if (!result.ok()) return result.status();
      for (const Judgement& judgement : Judge(*result, AllBars())) judgements.push_back(judgement);
    }
  }
  return judgements;
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  using proactor::benchmark::Judgement;
  absl::SetProgramUsageMessage("compares echo servers with yardsticks, by CPU time per message");
  absl::ParseCommandLine(count, arguments);
  const absl::StatusOr<std::vector<Judgement>> judgements = proactor::benchmark::RunBenchmark();
  if (!judgements.ok()) {
    std::fprintf(stderr, "echo_benchmark: %s\n", std::string(judgements.status().message()).c_str());
    return proactor::benchmark::kFailed;
  }
  std::fputs(proactor::benchmark::FormatJudgements(*judgements).c_str(), stdout);
  const bool passed = std::ranges::all_of(*judgements, &Judgement::Passed);
  return passed ? proactor::benchmark::kPassed : proactor::benchmark::kBarMissed;
}
