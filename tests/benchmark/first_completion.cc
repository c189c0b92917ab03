// SPDX-License-Identifier: Apache-2.0

// Opens a file on a scheduler of the library's choice, says when it was open, and ends: for start_benchmark.
//
// Usage: first_completion auto|io_uring|epoll
// It prints the nanoseconds of CLOCK_MONOTONIC. With `none` it prints those at the beginning of `main`.

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/backend_choice.h"
#include "proactor/fs/file.h"
#include "proactor/run.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace proactor::benchmark {
namespace {

void PrintTime() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  std::printf("%lld\n", static_cast<long long>(int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec));
  std::fflush(stdout);
}

Task<absl::Status> OpenOne() {
  File file = co_await Try(File::Open("/dev/null"));
  PrintTime();
  co_return absl::OkStatus();
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  std::string_view choice = count == 2 ? arguments[1] : "auto";
  if (choice == "none") {
    proactor::benchmark::PrintTime();
    return 0;
  }
  absl::StatusOr<proactor::BackendChoice> backend = proactor::ParseBackendChoice(choice);
  if (!backend.ok()) return proactor::ExitCode(backend.status());
  return proactor::ExitCode(proactor::Run(proactor::benchmark::OpenOne(), {.backend = *backend}));
}
