// SPDX-License-Identifier: Apache-2.0
#include "tests/support/backends.h"

#include "proactor/log.h"
#include "proactor/run.h"

namespace proactor {

std::string BackendName(Backend backend) { return backend == Backend::kIoUring ? "IoUring" : "Simulated"; }

Bench::Bench(Backend backend, uint64_t seed) {
  if (backend == Backend::kSimulated) {
    world_ = std::make_unique<SimulatedWorld>(SimulationOptions{.seed = seed});
    return;
  }
  absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor();
  Check(proactor.ok(), [&] { return std::string(proactor.status().message()); });
  scheduler_ = std::make_unique<Scheduler>(*std::move(proactor));
}

Bench::~Bench() = default;

}  // namespace proactor
