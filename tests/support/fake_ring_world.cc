// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_ring_world.h"

#include <stdlib.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/io_uring_proactor.h"
#include "proactor/log.h"

namespace proactor {

FakeKernelOptions EveryFault() {
  FakeKernelOptions options = {.faults = FakeFaults::All()};
  const char* wanted = getenv("PROACTOR_FAKE_KERNEL");
  if (wanted == nullptr) return options;
  for (const FakeKernelProfile& profile : FakeKernelProfile::Every()) {
    if (profile.name == std::string_view(wanted)) {
      options.profile = profile;
      return options;
    }
  }
  CheckFailed(absl::StrCat("PROACTOR_FAKE_KERNEL=", wanted, " is no version that there is a profile of."));
}

std::unique_ptr<SimulatedWorld> MakeFakeRingWorld(SimulationOptions simulation, FakeKernelOptions options,
                                                  RingOptions ring) {
  auto make = [&](SimulatedSystem& system, std::function<void()> on_deadlock) -> WorldProactor {
    auto kernel = std::make_shared<FakeKernel>(system, options);
    kernel->OnDeadlock(std::move(on_deadlock));
    kernel->Trust();  // No ring to try first: a world begins with its first task.
    absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create(ring, *kernel);
    Check(proactor.ok(), [&] { return std::string(proactor.status().message()); });
    return {.under = std::move(kernel), .proactor = *std::move(proactor)};
  };
  return std::make_unique<SimulatedWorld>(simulation, make);
}

}  // namespace proactor
