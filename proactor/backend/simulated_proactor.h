// SPDX-License-Identifier: Apache-2.0
//
// SimulatedProactor: a proactor without a kernel, in virtual time. It is the specification: read it before the others.
//
//   SimulatedSystem system({.seed = 7});
//   Scheduler scheduler(std::make_unique<SimulatedProactor>(system));
//   absl::Status status = scheduler.Run(Serve(address));
//
//  - An operation in flight is tried (`Perform`) when it is new and whenever something has changed since it had to
//    wait. The seed decides in which order, and how many results one `Wait` brings.
//  - With `max_latency`, each operation and each request to cancel takes effect after a random while, so that results,
//    cancellations and deadlines meet in every order, often at the same moment.
//  - An operation that is cancelled after it has been tried may still succeed if it can by then, or end with ECANCELED:
//    the seed decides. One that waits for readiness is tried at least once.
//  - Time stands still while anything can happen. Then it jumps to the next moment at which something does.
//  - When nothing can ever happen, the simulation is in a deadlock: `OnDeadlock` hears of it, or the process ends with
//  a sentence.
//
// Threads: one. `Wake` may come from any and makes the current or next `Wait` return, but a simulation does not wait
//   for threads: if it has nothing to do before one calls, that is a deadlock.
#ifndef PROACTOR_BACKEND_SIMULATED_PROACTOR_H_
#define PROACTOR_BACKEND_SIMULATED_PROACTOR_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/proactor.h"

namespace proactor {

class SimulatedProactor final : public Proactor {
 public:
  // The system, whose clock and seed these are, outlives the proactor.
  explicit SimulatedProactor(SimulatedSystem& system) : system_(system) {}

  // Called from `Wait`, which then returns.
  void OnDeadlock(std::function<void()> hook) { on_deadlock_ = std::move(hook); }

  void Submit(OperationBase& operation) override;
  void Cancel(OperationBase& operation) override;
  void Wait(MonotonicTime until) override;
  void Wake() override;
  MonotonicTime Now() const override { return system_.clock().Now(); }
  absl::Time WallTime() const override { return system_.clock().WallTime(); }
  std::string_view name() const override { return "simulated"; }
  System& system() override { return system_; }
  bool has_kernel() const override { return false; }
  uint32_t seed() const override { return std::max(static_cast<uint32_t>(system_.options().seed), 1u); }

 private:
  static constexpr uint64_t kNotTried = ~uint64_t{0};

  // An operation in flight.
  struct InFlight {
    OperationBase* operation;                          // Null: over.
    MonotonicTime start;                               // When the system gets to it.
    MonotonicTime cancel = MonotonicTime::Infinite();  // When the system hears that it is cancelled.
    uint64_t waits_since = kNotTried;                  // `changes()` when it had to wait.
    bool tried = false;
  };

  // Tries operations, in random order. Whether one is over.
  bool TryOperations();
  void Try(InFlight& in_flight);
  // When an operation will next be worth a try; in the past if one is now.
  MonotonicTime NextTry() const;
  MonotonicTime TryAt(const InFlight& in_flight) const;
  MonotonicTime AfterLatency();
  void Deadlock();

  SimulatedSystem& system_;
  std::vector<InFlight> in_flight_;  // In the order of submission.
  std::atomic<bool> woken_ = false;
  std::function<void()> on_deadlock_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_PROACTOR_H_
