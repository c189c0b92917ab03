// SPDX-License-Identifier: Apache-2.0
//
// A SimulatedWorld whose proactor is the real IoUringProactor, over a fake kernel where everything goes wrong that may.
//
//   std::unique_ptr<SimulatedWorld> world = MakeFakeRingWorld({.seed = 7});
//   world = MakeFakeRingWorld({.seed = 7}, {.profile = FakeKernelProfile::Linux5_15()}, {.entries = 4});
//   absl::Status status = world->Run(Exchange());
//
// Without options the kernel is the newest that there is, or that which $PROACTOR_FAKE_KERNEL names, such as 5.15.
#ifndef PROACTOR_TESTS_SUPPORT_FAKE_RING_WORLD_H_
#define PROACTOR_TESTS_SUPPORT_FAKE_RING_WORLD_H_

#include <memory>

#include "proactor/backend/fake_kernel_profile.h"
#include "proactor/backend/ring.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/testing/simulated_world.h"

namespace proactor {

// All faults, in the kernel of the environment's choice.
FakeKernelOptions EveryFault();

std::unique_ptr<SimulatedWorld> MakeFakeRingWorld(SimulationOptions simulation, FakeKernelOptions kernel = EveryFault(),
                                                  RingOptions ring = {});

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_FAKE_RING_WORLD_H_
