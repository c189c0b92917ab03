// SPDX-License-Identifier: Apache-2.0
//
// RunBlocking, SignalSet.
#include <signal.h>

#include <atomic>

#include "proactor/run_blocking.h"
#include "proactor/signal_set.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

// A function is called once, or not at all, and the result says which.
Task<absl::Status> BlockingCalls(Race& race) {
  for (int i = 0; i < 8; ++i) {
    std::atomic<int> calls = 0;
    auto call = [&calls] { return ++calls; };
    absl::StatusOr<int> result = co_await race.Interrupted(RunBlocking(call));
    co_await Try(Uninterrupted(result.status()));
    co_await Try(Expect(calls == (result.ok() ? 1 : 0), "a call and its result do not agree"));
    if (!result.ok()) co_await Try(LetTimePass());
  }
  co_return absl::OkStatus();
}

// Real-time signals: each that was sent is received, once.
Task<absl::Status> Signals(Race& race) {
  constexpr int kSignals = 5;
  const int number = SIGRTMIN + 1;
  SignalSet signals = co_await Try(SignalSet::Block(number));
  auto sender = [&]() -> Task<absl::Status> {
    for (int i = 0; i < kSignals; ++i) {
      co_await Try(Sleep(race.Moment()));
      race.system.raise(number);
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(sender());
    for (int received = 0; received < kSignals;) {
      absl::StatusOr<Signal> signal = co_await race.Interrupted(signals.Wait());
      co_await Try(Uninterrupted(signal.status()));
      received += signal.ok();
      if (!signal.ok()) co_await Try(LetTimePass());
    }
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  absl::StatusOr<Signal> more = co_await WithTimeout(race.Moment(), signals.Wait());
  co_return Expect(absl::IsDeadlineExceeded(more.status()), "a signal came twice");
}

constexpr Scenario kScenarios[] = {{"BlockingCalls", &BlockingCalls}, {"Signals", &Signals}};

}  // namespace

std::span<const Scenario> ProcessScenarios() { return kScenarios; }

}  // namespace proactor
