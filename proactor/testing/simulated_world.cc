// SPDX-License-Identifier: Apache-2.0
#include "proactor/testing/simulated_world.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "proactor/backend/simulated_proactor.h"
#include "proactor/log.h"
#include "proactor/proactor.h"

namespace proactor {

SimulatedWorld::SimulatedWorld(SimulationOptions options)
    : trace_(__FILE__, __LINE__, absl::StrCat("in a SimulatedWorld with .seed = ", options.seed)),
      system_(options),
      proactor_(new SimulatedProactor(system_)),
      scheduler_(std::unique_ptr<Proactor>(proactor_)) {
  proactor_->OnDeadlock([this] { Deadlocked(); });
}

SimulatedWorld::~SimulatedWorld() {
  scheduler_.Shutdown();
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
