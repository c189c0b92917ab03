// SPDX-License-Identifier: Apache-2.0
//
// Race: what one scenario has to work with, and the table of scenarios.
//
//   Task<absl::Status> Sleeps(Race& race) {
//     absl::Status status = co_await race.Interrupted(Sleep(race.Moment()));
//     co_return Uninterrupted(status);
//   }
//   std::span<const Scenario> TimeScenarios();   // A table for each kind, listed in race_test.cc.
//
// A scenario lets something complete, be cancelled and time out at moments that a seed chooses, and then accounts for
// everything: it fails if a byte, a descriptor, a value, a wake-up was lost or came twice. It must end in any case, and
// leave no descriptor open. It runs with every seed, so it is short: tens of awaits, not thousands.
#ifndef PROACTOR_TESTS_STRESS_RACE_H_
#define PROACTOR_TESTS_STRESS_RACE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/result.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/stress/chance.h"

namespace proactor {

// What a scenario needs that differs between a simulation and a kernel.
struct RaceSystem {
  std::string directory;                                      // For files; the same for every seed.
  std::function<void(int signal)> raise;                      // Sends a signal to the process.
  std::function<absl::StatusOr<std::pair<int, int>>()> pipe;  // The end to read from, the end to write to.
  bool exact = false;  // Time passes only while everybody waits.
};

class Race : public Chance {
 public:
  Race(Scheduler& scheduler, uint64_t seed, const RaceSystem& system)
      : Chance(seed, 25), scheduler(scheduler), system(system) {}

  // Mostly soon enough to meet what is awaited, sometimes late enough to let it pass.
  absl::Duration Deadline() { return Below(4) == 0 ? absl::Seconds(10) : Moment(); }

  // Awaits under a deadline, in a scope that has another and that somebody may cancel.
  template <class A>
  Task<internal::AwaitResult<A>> Interrupted(A awaitable) {
    CancelScope scope(co_await CurrentContext());
    scope.SetTimeout(Deadline());
    interrupted_.push_back(&scope);
    internal::AwaitResult<A> result = co_await internal::InScope(scope, WithTimeout(Deadline(), std::move(awaitable)));
    std::erase(interrupted_, &scope);
    Count(internal::StatusOf(result));
    co_return result;
  }

  // Cancels something that is being awaited so, if anything is.
  void CancelOne() {
    if (!interrupted_.empty()) interrupted_[UpTo(interrupted_.size()) - 1]->Cancel();
  }

  // Runs a scenario beside a task that does so a few times.
  Task<absl::Status> Run(Task<absl::Status> (*scenario)(Race&)) {
    auto cancel = [this]() -> Task<absl::Status> {
      for (int i = 0; i < 8; ++i) {
        co_await Try(Sleep(Moment()));
        CancelOne();
      }
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(cancel());
      absl::Status status = co_await scenario(*this);
      group.Cancel();
      co_return status;
    };
    co_return co_await WithTaskGroup(body);
  }

  // For what a scenario interrupts by other means.
  void Count(const absl::Status& status) { ++(status.ok() ? completed : interrupted); }

  int completed = 0;
  int interrupted = 0;

  Scheduler& scheduler;
  const RaceSystem& system;

 private:
  std::vector<CancelScope*> interrupted_;
};

inline bool Interruption(const absl::Status& status) {
  return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
}

// The failure that is left of a status when being interrupted is none.
inline absl::Status Uninterrupted(const absl::Status& status) {
  return Interruption(status) ? absl::OkStatus() : status;
}

// Gives time, which in a simulation passes only when somebody waits for it, a chance.
inline auto LetTimePass() { return Sleep(absl::Microseconds(1)); }

// Bytes of which no two stretches are alike.
std::string Pattern(size_t size);

// OK, or what is wrong.
inline absl::Status Expect(bool right, const char* wrong) {
  return right ? absl::OkStatus() : absl::DataLossError(wrong);
}

struct Scenario {
  const char* name;
  Task<absl::Status> (*run)(Race&);
};

std::span<const Scenario> SocketScenarios();
std::span<const Scenario> ReceiveScenarios();
std::span<const Scenario> FileScenarios();
std::span<const Scenario> ProcessScenarios();
std::span<const Scenario> TimeScenarios();
std::span<const Scenario> ScopeScenarios();
std::span<const Scenario> CombinatorScenarios();
std::span<const Scenario> PrimitiveScenarios();
std::span<const Scenario> MeetingScenarios();
std::span<const Scenario> ValueScenarios();

}  // namespace proactor

#endif  // PROACTOR_TESTS_STRESS_RACE_H_
