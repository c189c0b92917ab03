// SPDX-License-Identifier: Apache-2.0
//
// Cancels COUNT sleeps and COUNT reads at once, over the real IoUringProactor and a fake kernel, so that the library's
// instructions can be counted, as those of counted_echo.cc are.
//
//     counted_cancel COUNT
//
// Exit status: 0; 1 if not all were cancelled; 77 if this was not compiled as it ships, so that there is nothing to
// count.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/fs/file.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/try.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
constexpr bool kAsItShips = true;
#else
constexpr bool kAsItShips = false;
#endif

Task<absl::Status> CancelAtOnce(SimulatedSystem& system, int count, int& cancelled) {
  std::vector<File> files, writers;
  while (static_cast<int>(files.size()) < count) {
    std::pair<int, int> ends = system.MakePipe();
    files.push_back(co_await Try(File::Adopt(ends.first)));
    writers.push_back(co_await Try(File::Adopt(ends.second)));
  }
  auto sleep = [&]() -> Task<absl::Status> {
    absl::Status status = co_await Sleep(absl::Hours(1));
    cancelled += absl::IsCancelled(status);
    co_return status;
  };
  auto read = [&](File& file) -> Task<absl::Status> {
    char byte;
    absl::StatusOr<size_t> n = co_await file.Read({&byte, 1});
    cancelled += absl::IsCancelled(n.status());
    co_return n.status();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (File& file : files) {
      group.Spawn(sleep());
      group.Spawn(read(file));
    }
    co_await Try(Sleep(absl::Seconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

int Main(int argc, char** argv) {
  if (!kAsItShips) return 77;
  int count = argc == 2 ? std::atoi(argv[1]) : 1;
  SimulationOptions simulation = {.short_transfers = false, .interruptions = false};
  auto world = MakeFakeRingWorld(simulation, FakeKernelOptions{});
  int cancelled = 0;
  absl::Status status = world->Run(CancelAtOnce(world->system(), count, cancelled));
  std::printf("%d cancelled, %lld requests\n", cancelled,
              static_cast<long long>(world->scheduler().counters().cancels.value()));
  return status.ok() && cancelled == 2 * count ? 0 : 1;
}

}  // namespace
}  // namespace proactor

int main(int argc, char** argv) { return proactor::Main(argc, argv); }
