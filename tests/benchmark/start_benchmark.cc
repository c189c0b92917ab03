// SPDX-License-Identifier: Apache-2.0

// How long does a process take from its start until its first operation has completed, with all probing?
//
//   tools/bazel run //tests/benchmark:start_benchmark
//   tools/bazel run //tests/benchmark:start_benchmark -- --runs=200
//
// Processes are started one after the other, by turns, and say when they had got so far. The time begins before
// posix_spawn(3), so that what the kernel and the loader take is in it: `none` is a process that does nothing else.
// Exit status: 0, or 1 when the bar was missed, or 2 when something could not be measured.

#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "tests/benchmark/statistics.h"
#include "tests/benchmark/verdict.h"

ABSL_FLAG(std::string, program, "", "first_completion");
ABSL_FLAG(int, runs, 50, "of each");

namespace proactor::benchmark {
namespace {

constexpr double kBarMilliseconds = 5;
constexpr std::array kChoices = {"none", "io_uring", "epoll"};

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Milliseconds, or -1.
double MillisecondsUntil(const std::string& program, const char* choice) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  char* arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(choice), nullptr};
  pid_t child = -1;
  int64_t began = Now();
  bool started = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  char text[32] = "";
  bool heard = started && read(ends[0], text, sizeof(text) - 1) > 0;
  close(ends[0]);
  int status = 1;
  if (started) waitpid(child, &status, 0);
  return heard && status == 0 ? static_cast<double>(std::atoll(text) - began) / 1e6 : -1;
}

int Main() {
  const std::string program = absl::GetFlag(FLAGS_program);
  std::array<std::vector<double>, kChoices.size()> samples;
  for (int run = 0; run < absl::GetFlag(FLAGS_runs); ++run) {
    for (size_t i = 0; i < kChoices.size(); ++i) {
      double milliseconds = MillisecondsUntil(program, kChoices[i]);
      if (milliseconds < 0) {
        std::fprintf(stderr, "start_benchmark: %s %s did not say when it had got so far\n", program.c_str(),
                     kChoices[i]);
        return 2;
      }
      samples[i].push_back(milliseconds);
    }
  }
  int status = 0;
  for (size_t i = 0; i < kChoices.size(); ++i) {
    const Quartiles quartiles = QuartilesOf(samples[i]);
    const Verdict verdict = VerdictOf(quartiles.median, kBarMilliseconds, kBarMilliseconds);
    std::printf("%-8s  %6.2f ms (%.2f-%.2f)  %s\n", kChoices[i], quartiles.median, quartiles.lower, quartiles.upper,
                i == 0 ? "nothing but the process" : Word(verdict));
    if (!Passed(verdict)) status = 1;
  }
  return status;
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  absl::ParseCommandLine(count, arguments);
  return proactor::benchmark::Main();
}
