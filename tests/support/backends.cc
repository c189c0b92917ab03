// SPDX-License-Identifier: Apache-2.0
#include "tests/support/backends.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "proactor/backend/epoll_proactor.h"
#include "proactor/backend/io_uring_proactor.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/feature.h"
#include "proactor/log.h"
#include "tests/support/fake_epoll_world.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {

std::string BackendName(Backend backend) {
  switch (backend) {
    case Backend::kIoUring:
      return "IoUring";
    case Backend::kEpoll:
      return "Epoll";
    case Backend::kSimulated:
      return "Simulated";
    case Backend::kFakeIoUring:
      return "FakeIoUring";
    case Backend::kFakeEpoll:
      return "FakeEpoll";
  }
  return "";
}

namespace {

bool Restricted() { return getenv("PROACTOR_TEST_RESTRICTED") != nullptr; }

template <class T>
T Checked(absl::StatusOr<T> made) {
  Check(made.ok(), [&] { return std::string(made.status().message()); });
  return *std::move(made);
}

// What the ring of the test before had locked comes back a little later, which is felt where that is all there may be.
absl::StatusOr<std::unique_ptr<IoUringProactor>> CreateIoUring() {
  const RingOptions options = {.disabled = Checked(DisabledFeaturesOfEnvironment()), .restricted = Restricted()};
  absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create(options);
  for (int i = 0; i < 1000 && absl::IsResourceExhausted(proactor.status()); ++i) {
    poll(nullptr, 0, 10);
    proactor = IoUringProactor::Create(options);
  }
  return proactor;
}

}  // namespace

bool IsSimulated(System& system) { return dynamic_cast<SimulatedSystem*>(&system) != nullptr; }

void AwaitDelivery(System& system, int socket) {
  if (IsSimulated(system)) return;
  int left = 1;
  while (ioctl(socket, SIOCOUTQ, &left) == 0 && left > 0) poll(nullptr, 0, 1);
}

Bench::Bench(Backend backend, uint64_t seed) {
  switch (backend) {
    case Backend::kIoUring:
      scheduler_ = std::make_unique<Scheduler>(Checked(CreateIoUring()));
      break;
    case Backend::kEpoll:
      scheduler_ = std::make_unique<Scheduler>(Checked(EpollProactor::Create()));
      break;
    case Backend::kSimulated:
      world_ = std::make_unique<SimulatedWorld>(SimulationOptions{.seed = seed});
      break;
    case Backend::kFakeIoUring:
      world_ = MakeFakeRingWorld({.seed = seed}, EveryFault(),
                                 {.disabled = Checked(DisabledFeaturesOfEnvironment()), .restricted = Restricted()});
      break;
    case Backend::kFakeEpoll:
      world_ = MakeFakeEpollWorld({.seed = seed});
      break;
  }
  start_ = scheduler().Now();
}

Bench::~Bench() = default;

}  // namespace proactor
