// SPDX-License-Identifier: Apache-2.0

// Compares what the library does within nanoseconds with the least that would do the same, and holds it against bars.
// See README.md in this directory.
//
//   micro_benchmark --rounds=100 --only=timer

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/time/time.h"
#include "proactor/run.h"
#include "proactor/scheduler.h"
#include "tests/benchmark/micro_cases.h"
#include "tests/benchmark/micro_comparison.h"
#include "tests/benchmark/processor.h"
#include "tests/benchmark/verdict.h"

ABSL_FLAG(int, rounds, 50, "windows for each case and its yardstick; 16 or more to say anything");
ABSL_FLAG(absl::Duration, window, absl::Milliseconds(2), "length of one window");
ABSL_FLAG(std::string, only, "", "a part of the names of the cases to measure");
ABSL_FLAG(int, cpu, 0, "the processor to run on");

namespace proactor::benchmark {

Scheduler& MicroScheduler() {
  // It lives as long as the process.
  static Scheduler* scheduler = [] {
    absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor();
    Check(proactor.ok(), [&] { return std::string(proactor.status().message()); });
    return new Scheduler(*std::move(proactor));
  }();
  return *scheduler;
}

namespace {

enum ExitCode { kPassed = 0, kBarMissed = 1, kFailed = 2 };

using Cases = std::vector<MicroCase> (*)();
constexpr Cases kCases[] = {&CoroutineCases, &SyncCases, &TimerCases, &CancelCases};

ExitCode RunBenchmark() {
  const MicroMethod method = {.rounds = absl::GetFlag(FLAGS_rounds), .window = absl::GetFlag(FLAGS_window)};
  if (method.rounds < 1 || method.window < absl::Microseconds(10) || method.window > absl::Seconds(1)) {
    std::fputs("micro_benchmark: --rounds is 1 or more, --window from 10us to 1s\n", stderr);
    return kFailed;
  }
  TakeProcessor(absl::GetFlag(FLAGS_cpu));
  std::fputs(FormatHead().c_str(), stdout);
  int measured = 0;
  int passed = 0;
  for (Cases cases : kCases) {
    for (const MicroCase& micro_case : cases()) {
      if (micro_case.name.find(absl::GetFlag(FLAGS_only)) == std::string::npos) continue;
      const MicroResult result = Measure(micro_case, method);
      std::fputs(FormatLine(micro_case, result).c_str(), stdout);
      std::fflush(stdout);
      ++measured;
      passed += Passed(result.verdict);
    }
  }
  std::printf("%d of %d bars passed\n", passed, measured);
  if (measured == 0) return kFailed;
  return passed == measured ? kPassed : kBarMissed;
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  absl::SetProgramUsageMessage("compares the library's parts with the least that would do the same");
  absl::ParseCommandLine(count, arguments);
  return proactor::benchmark::RunBenchmark();
}
