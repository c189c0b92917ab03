// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/report.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/benchmark/comparison.h"

namespace proactor::benchmark {
namespace {

ServerResult Server(const char* name, std::vector<double> cpu_microseconds) {
  ServerResult result;
  result.name = name;
  result.cpu_microseconds = std::move(cpu_microseconds);
  return result;
}

CellResult Result() {
  CellResult result;
  result.servers = {Server("raw", {4, 5, 9}), Server("ours", {5, 5, 9}), Server("raw, null test", {4, 5, 9})};
  return result;
}

bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(ReportTest, ARatioIsTheMedianOfThoseOfTheRounds) {
  const std::string table = FormatTable(Result(), {.rounds = 3});
  EXPECT_TRUE(Has(table, "c50s64p1: 3 rounds of 120 ms")) << table;
  EXPECT_TRUE(Has(table, "  raw                            5.000  yardstick")) << table;
  EXPECT_TRUE(Has(table, "  ours                           5.000  1.000 (1.000-1.125)")) << table;
}

TEST(ReportTest, SaysWhyThereIsNoUserTime) {
  CellResult result = Result();
  result.user_time_status = absl::PermissionDeniedError("perf_event_open");
  const std::string table = FormatTable(result, {});
  EXPECT_TRUE(Has(table, "  no user CPU: perf_event_open")) << table;
}

}  // namespace
}  // namespace proactor::benchmark
