// SPDX-License-Identifier: Apache-2.0
#include "proactor/testing/simulated_world.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/backend/simulated_proactor.h"
#include "proactor/log.h"
#include "proactor/proactor.h"

namespace proactor {

namespace {

WorldProactor MakeSimulatedProactor(SimulatedSystem& system, std::function<void()> on_deadlock) {
  auto proactor = std::make_unique<SimulatedProactor>(system);
  proactor->OnDeadlock(std::move(on_deadlock));
  return {.under = nullptr, .proactor = std::move(proactor)};
}

}  // namespace

SimulatedWorld::SimulatedWorld(SimulationOptions options) : SimulatedWorld(options, MakeSimulatedProactor) {}

SimulatedWorld::SimulatedWorld(SimulationOptions options, const MakeWorldProactor& make)
    : trace_(__FILE__, __LINE__, absl::StrCat("in a SimulatedWorld with .seed = ", options.seed)),
      system_(options),
      made_(make(system_, [this] { Deadlocked(); })),
      scheduler_(std::move(made_.proactor)) {}

SimulatedWorld::~SimulatedWorld() {
  // Without a limit, because time passes while nothing happens, and a deadlock is to be found.
  scheduler_.Shutdown(absl::InfiniteDuration()).IgnoreError();
  if (system_.open_descriptors() > 0 && !open_descriptors_allowed_) {
    ADD_FAILURE() << "Descriptors are still open at the end of the simulation:\n" << system_.DescribeOpenDescriptors();
  }
}

void SimulatedWorld::Deadlocked() {
  std::string dump = scheduler_.Dump();
  Check(!deadlocked_, [&] {
    return absl::StrCat("A deadlock in the simulation, though everything is cancelled. Who waits for what:\n", dump);
  });
  deadlocked_ = true;
  ADD_FAILURE() << "Deadlock: everything waits, and nothing is left to happen. Who waits for what:\n" << dump;
  scheduler_.Cancel();
}

}  // namespace proactor
