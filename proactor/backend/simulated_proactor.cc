// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_proactor.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

void SimulatedProactor::Submit(OperationBase& operation) {
  in_flight_.push_back({.operation = &operation, .start = AfterLatency()});
}

// The operation is marked; the next `Wait` sees that.
void SimulatedProactor::Cancel(OperationBase&) { counters().cancels.Add(); }

// Release publishes what the waking thread did before.
void SimulatedProactor::Wake() { woken_.store(true, std::memory_order_release); }

void SimulatedProactor::Wait(MonotonicTime until) {
  while (!TryOperations()) {
    MonotonicTime next = NextTry();
    if (next <= Now()) continue;
    if (until <= Now() || woken_.exchange(false, std::memory_order_acquire)) return;
    next = std::min(next, until);
    if (next == MonotonicTime::Infinite()) return Deadlock();
    system_.clock().AdvanceTo(next);
  }
}

bool SimulatedProactor::TryOperations() {
  SimulatedChance& chance = system_.chance();
  std::vector<InFlight*> tries;
  for (InFlight& in_flight : in_flight_) {
    if (in_flight.operation->cancel_requested() && in_flight.cancel == MonotonicTime::Infinite()) {
      in_flight.cancel = AfterLatency();
    }
    if (TryAt(in_flight) <= Now()) tries.push_back(&in_flight);
  }
  for (size_t i = 1; i < tries.size(); ++i) std::swap(tries[i], tries[chance.Below(i + 1)]);
  // A kernel does not bring all results at once either.
  if (!tries.empty() && chance.OneIn(4)) tries.resize(1 + chance.Below(tries.size()));
  for (InFlight* in_flight : tries) Try(*in_flight);
  return std::erase_if(in_flight_, [](const InFlight& in_flight) { return in_flight.operation == nullptr; }) > 0;
}

MonotonicTime SimulatedProactor::TryAt(const InFlight& in_flight) const {
  bool waits = in_flight.waits_since == system_.changes();
  return std::min(in_flight.cancel, waits ? MonotonicTime::Infinite() : in_flight.start);
}

MonotonicTime SimulatedProactor::NextTry() const {
  MonotonicTime next = MonotonicTime::Infinite();
  for (const InFlight& in_flight : in_flight_) next = std::min(next, TryAt(in_flight));
  return next;
}

void SimulatedProactor::Try(InFlight& in_flight) {
  OperationBase& operation = *in_flight.operation;
  bool cancelled = in_flight.cancel <= Now();
  bool first_try = !in_flight.tried && (operation.readiness() != Readiness::kBlocking || in_flight.start <= Now());
  if (cancelled && !first_try && system_.chance().OneIn(2)) {
    operation.Complete(-ECANCELED);
    in_flight.operation = nullptr;
    return;
  }

  uint64_t changes = system_.changes();
  int result = operation.Perform(system_);
  if (result == -EAGAIN && !cancelled) {
    in_flight.waits_since = changes;
    in_flight.tried = true;
  } else if (result == -EINTR && !in_flight.tried && operation.cancel_requested()) {
    // Says nothing about the operation, which is to have its first try.
  } else {
    operation.Complete(result == -EAGAIN ? -ECANCELED : result);
    in_flight.operation = nullptr;
  }
}

// In quarters, so that different operations often meet at the same moment.
MonotonicTime SimulatedProactor::AfterLatency() {
  if (system_.options().max_latency <= absl::ZeroDuration()) return Now();
  return Now() + system_.options().max_latency / 4 * static_cast<int64_t>(system_.chance().Below(5));
}

void SimulatedProactor::Deadlock() {
  if (on_deadlock_) return on_deadlock_();
  std::string sentence = "Deadlock: the scheduler waits, and in its simulation nothing is left to happen. In flight:";
  for (const InFlight& in_flight : in_flight_) absl::StrAppend(&sentence, "\n  ", in_flight.operation->Describe());
  CheckFailed(sentence);
}

}  // namespace proactor
