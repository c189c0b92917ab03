// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_epoll_world.h"

#include <functional>
#include <string>
#include <utility>

#include "proactor/backend/epoll_proactor.h"
#include "proactor/log.h"

namespace proactor {

std::unique_ptr<SimulatedWorld> MakeFakeEpollWorld(SimulationOptions simulation, FakeEpollOptions options) {
  auto make = [&](SimulatedSystem& system, std::function<void()> on_deadlock) -> WorldProactor {
    auto kernel = std::make_shared<FakeEpoll>(system, options);
    kernel->OnDeadlock(std::move(on_deadlock));
    absl::StatusOr<std::unique_ptr<EpollProactor>> proactor = EpollProactor::Create(*kernel);
    Check(proactor.ok(), [&] { return std::string(proactor.status().message()); });
    return {.under = std::move(kernel), .proactor = *std::move(proactor)};
  };
  return std::make_unique<SimulatedWorld>(simulation, make);
}

}  // namespace proactor
