// SPDX-License-Identifier: Apache-2.0
#include "tests/support/backends.h"

#include "proactor/backend/epoll_proactor.h"
#include "proactor/backend/io_uring_proactor.h"
#include "proactor/log.h"

namespace proactor {

std::string BackendName(Backend backend) {
  switch (backend) {
    case Backend::kIoUring:
      return "IoUring";
    case Backend::kEpoll:
      return "Epoll";
    case Backend::kSimulated:
      return "Simulated";
  }
  return "";
}

namespace {

template <class RealProactor>
std::unique_ptr<Proactor> Created() {
  absl::StatusOr<std::unique_ptr<RealProactor>> proactor = RealProactor::Create();
  Check(proactor.ok(), [&] { return std::string(proactor.status().message()); });
  return *std::move(proactor);
}

}  // namespace

Bench::Bench(Backend backend, uint64_t seed) {
  switch (backend) {
    case Backend::kIoUring:
      scheduler_ = std::make_unique<Scheduler>(Created<IoUringProactor>());
      break;
    case Backend::kEpoll:
      scheduler_ = std::make_unique<Scheduler>(Created<EpollProactor>());
      break;
    case Backend::kSimulated:
      world_ = std::make_unique<SimulatedWorld>(SimulationOptions{.seed = seed});
      break;
  }
}

Bench::~Bench() = default;

}  // namespace proactor
