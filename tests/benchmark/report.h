// SPDX-License-Identifier: Apache-2.0

// What a person reads of one cell: a line for each server.
//
//   std::fputs(FormatTable(result, method).c_str(), stdout);
#ifndef PROACTOR_TESTS_BENCHMARK_REPORT_H_
#define PROACTOR_TESTS_BENCHMARK_REPORT_H_

#include <string>

#include "tests/benchmark/comparison.h"

namespace proactor::benchmark {

std::string FormatTable(const CellResult& result, const Method& method);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_REPORT_H_
