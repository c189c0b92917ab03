// SPDX-License-Identifier: Apache-2.0

// What a server may cost at most in a cell, and whether it did.
//
//   std::vector<Judgement> judgements = Judge(result, AllBars());
//   std::fputs(FormatJudgements(judgements).c_str(), stdout);
//
// A ratio is judged against the bar times the noise factor of the null test, a time against the bar plus the difference
// between the yardstick's two figures: what one run cannot tell apart is not held against a server.
#ifndef PROACTOR_TESTS_BENCHMARK_BARS_H_
#define PROACTOR_TESTS_BENCHMARK_BARS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/benchmark/comparison.h"
#include "tests/benchmark/verdict.h"

namespace proactor::benchmark {

struct Bar {
  enum Figure { kCpuRatio, kUserMicroseconds };

  std::string_view cell;
  std::string_view server;
  Figure figure;
  double limit;
  std::string_view reference = "";  // of a ratio: whose CPU time per message is 1
};

// The library's. `proactor_io_uring` and `proactor_epoll` are one program on its two backends; `proactor_masked` is the
// first of them with all features disabled that it can do without, those included that every kernel has.
inline constexpr Bar kBars[] = {
    {"c50s64p1", "proactor_io_uring", Bar::kCpuRatio, 1.05, "raw_ring"},
    {"c1000s64p1", "proactor_io_uring", Bar::kCpuRatio, 1.10, "raw_ring"},
    {"c50s1024p1", "proactor_io_uring", Bar::kCpuRatio, 1.10, "raw_ring"},
    {"c50s65536p1", "proactor_io_uring", Bar::kCpuRatio, 1.10, "raw_ring"},
    {"churn", "proactor_io_uring", Bar::kCpuRatio, 1.10, "raw_ring"},
    {"c50s64p1", "proactor_io_uring", Bar::kUserMicroseconds, .12},

    {"c50s64p1", "proactor_masked", Bar::kCpuRatio, 1.35, "raw_ring"},

    {"c50s64p1", "proactor_epoll", Bar::kCpuRatio, 1.08, "raw_epoll"},
    {"c1000s64p1", "proactor_epoll", Bar::kCpuRatio, 1.08, "raw_epoll"},

    {"c50s64p1", "proactor_epoll", Bar::kCpuRatio, 1.00, "asio"},
    {"c1000s64p1", "proactor_epoll", Bar::kCpuRatio, 1.00, "asio"},
    {"c50s1024p1", "proactor_epoll", Bar::kCpuRatio, 1.00, "asio"},
    {"c50s65536p1", "proactor_epoll", Bar::kCpuRatio, 1.00, "asio"},
    {"churn", "proactor_epoll", Bar::kCpuRatio, 1.00, "asio"},
};

// What receives into a pool, in each of these cells, is compared with both yardsticks and with a private buffer.
inline constexpr std::string_view kPoolCells[] = {
    "c1s64p1",    "c1s1024p1",    "c1s65536p1",    "c1s64p16",    "c1s1024p16",    "c1s65536p16",
    "c50s64p1",   "c50s1024p1",   "c50s65536p1",   "c50s64p16",   "c50s1024p16",   "c50s65536p16",
    "c1000s64p1", "c1000s1024p1", "c1000s65536p1", "c1000s64p16", "c1000s1024p16", "c1000s65536p16"};

// All of these.
std::vector<Bar> AllBars();

struct Judgement {
  Bar bar;
  double figure;
  double widened_limit;
  Verdict verdict;

  bool Passed() const { return benchmark::Passed(verdict); }
};

// By those of `bars` that are about this cell, and about servers that took part.
std::vector<Judgement> Judge(const CellResult& result, std::span<const Bar> bars);

// One line for each, and one that counts them.
std::string FormatJudgements(std::span<const Judgement> judgements);

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_BARS_H_
