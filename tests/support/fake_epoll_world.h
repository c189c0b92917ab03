// SPDX-License-Identifier: Apache-2.0
//
// A SimulatedWorld whose proactor is the real EpollProactor, over a fake epoll that does whatever Linux's may do.
//
//   std::unique_ptr<SimulatedWorld> world = MakeFakeEpollWorld({.seed = 7});
//   world = MakeFakeEpollWorld({.seed = 7}, {.knows_nanoseconds = false});
//   absl::Status status = world->Run(Exchange());
#ifndef PROACTOR_TESTS_SUPPORT_FAKE_EPOLL_WORLD_H_
#define PROACTOR_TESTS_SUPPORT_FAKE_EPOLL_WORLD_H_

#include <memory>

#include "proactor/backend/fake_epoll.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/testing/simulated_world.h"

namespace proactor {

std::unique_ptr<SimulatedWorld> MakeFakeEpollWorld(SimulationOptions simulation,
                                                   FakeEpollOptions options = FakeEpollOptions::EveryFault());

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_FAKE_EPOLL_WORLD_H_
