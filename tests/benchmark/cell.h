// SPDX-License-Identifier: Apache-2.0

// A cell is one shape of load, named as in `c50s64p1`: 50 connections, messages of 64 bytes, 1 message in flight on
// each. The cell `churn` is 20 connections that send one message of 64 bytes each, and are replaced by new ones.
#ifndef PROACTOR_TESTS_BENCHMARK_CELL_H_
#define PROACTOR_TESTS_BENCHMARK_CELL_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace proactor::benchmark {

struct Cell {
  int connections = 50;
  int bytes = 64;
  int in_flight = 1;
  bool churns = false;

  static Cell Churn() { return {.connections = 20, .bytes = 64, .in_flight = 1, .churns = true}; }

  std::string Name() const;
};

// The cell of that name. Connections, bytes and in-flight messages are limited to what one client process can hold.
absl::StatusOr<Cell> ParseCell(std::string_view name);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_CELL_H_
