// SPDX-License-Identifier: Apache-2.0

// Measures servers against the first of them, in one cell.
//
//   absl::StatusOr<CellResult> result = Compare({.connections = 50}, {{"raw", "./raw"}, {"ours", "./ours"}}, {});
//   CpuRatio(result->servers[1], result->yardstick()).median
//
// All are up and connected, and idle but for one: windows of about a tenth of a second go around in the order A B C A',
// then A' C B A, and so on. The machine's speed drifts over seconds, so only figures of one round are compared, as a
// ratio to the first server's; the result is the median of these ratios over the rounds. A' is the first server once
// more, in a process of its own: what its ratio differs from 1 is what the machine adds by itself.
//
// Two processes of one program can differ by a tenth for as long as they live, by where their memory lies and how their
// connections have fallen into step. So the rounds can be spread over several.
//
// User CPU time is sampled in windows of its own, after these, because sampling costs time.
#ifndef PROACTOR_TESTS_BENCHMARK_COMPARISON_H_
#define PROACTOR_TESTS_BENCHMARK_COMPARISON_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/server_process.h"
#include "tests/benchmark/statistics.h"

namespace proactor::benchmark {

struct Method {
  int rounds = 20;
  int processes = 1;  // of each server, one after the other, which share the rounds
  absl::Duration window = absl::Milliseconds(120);
  absl::Duration user_time = absl::Seconds(4);  // of windows in which user CPU is sampled, for each server
  int server_processor = 0;
  int client_processor = 1;
};

struct ServerResult {
  std::string name;
  std::vector<double> cpu_microseconds;  // of the server's CPU time, per message, in each round
  Quartiles messages_per_second;
  Quartiles throughput_ratio;  // to the first server's in the same round
  Quartiles server_cpu_share;  // of the window
  Quartiles client_cpu_share;
  double user_microseconds = 0;            // per message
  double user_microseconds_deviation = 0;  // one standard deviation of it, from the number of samples
};

// Of the two servers' CPU time per message in the same round, over all rounds of one comparison.
Quartiles CpuRatio(const ServerResult& server, const ServerResult& reference);

struct CellResult {
  Cell cell;
  std::vector<ServerResult> servers;  // in the order given, then the first once more: the null test
  absl::Status user_time_status;      // whether user CPU could be measured

  const ServerResult& yardstick() const { return servers.front(); }
  const ServerResult& null_test() const { return servers.back(); }
};

// The harness's own thread is the client, and moves to its processor for good.
absl::StatusOr<CellResult> Compare(const Cell& cell, const std::vector<ServerCommand>& servers, const Method& method);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_COMPARISON_H_
