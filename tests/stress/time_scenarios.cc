// SPDX-License-Identifier: Apache-2.0
//
// Sleep, SleepUntil, Every, Yield.
#include "proactor/every.h"
#include "proactor/sleep.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "proactor/yield.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

Task<absl::Status> Sleeps(Race& race) {
  for (int i = 0; i < 20; ++i) {
    absl::Duration duration = race.Moment();
    MonotonicTime start = race.scheduler.Now();
    absl::Status status = co_await race.Interrupted(Sleep(duration));
    co_await Try(Uninterrupted(status));
    co_await Try(Expect(!status.ok() || race.scheduler.Now() - start >= duration, "a sleep ended early"));
  }
  co_return absl::OkStatus();
}

// Several sleep until the same moments, and cancel each other then.
Task<absl::Status> SleepsUntil(Race& race) {
  const Clock& clock = (co_await CurrentContext()).loop->clock;
  const MonotonicTime start = clock.Now();
  auto sleeper = [&]() -> Task<absl::Status> {
    for (int i = 1; i <= 5; ++i) {
      MonotonicTime until = start + i * absl::Microseconds(5);
      absl::Duration rest = until - clock.Now();
      bool by_time_of_day = race.Below(2) == 0;
      absl::Status status;
      if (by_time_of_day) {
        status = co_await race.Interrupted(SleepUntil(clock.WallTime() + rest));
      } else {
        status = co_await race.Interrupted(SleepUntil(until));
      }
      co_await Try(Uninterrupted(status));
      // A time of day is only exact where nobody sets it.
      bool counts = status.ok() && (race.system.exact || !by_time_of_day);
      co_await Try(Expect(!counts || clock.Now() >= until, "a sleep ended early"));
      if (race.Below(4) == 0) race.CancelOne();
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 4; ++i) group.Spawn(sleeper());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

// Each tick comes once, or is counted as missed, and none comes early, whatever became of the waits.
Task<absl::Status> Ticks(Race& race) {
  const absl::Duration period = absl::Nanoseconds(3000 + race.Below(3000)) / 4;
  Ticker ticker = Every(period);
  const MonotonicTime start = race.scheduler.Now();
  int64_t ticks = 0;
  for (int i = 0; i < 20; ++i) {
    absl::StatusOr<int64_t> missed = co_await race.Interrupted(ticker.Next());
    co_await Try(Uninterrupted(missed.status()));
    if (missed.ok()) {
      ticks += 1 + *missed;
      absl::Duration rest;
      int64_t due = 1 + absl::IDivDuration(race.scheduler.Now() - start, period, &rest);
      co_await Try(Expect(ticks <= due, "a tick came early"));
      co_await Try(Expect(!race.system.exact || ticks == due, "a tick was lost"));
    }
    if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
  }
  co_return absl::OkStatus();
}

// Who yields lets everybody else go first.
Task<absl::Status> Yields(Race& race) {
  int turns = 0;
  bool over = false;
  auto other = [&]() -> Task<absl::Status> {
    while (!over) {
      ++turns;
      co_await Try(Yield());
      if (race.Below(8) == 0) race.CancelOne();
    }
    co_return absl::OkStatus();
  };
  auto twice = []() -> Task<absl::Status> {
    co_await Try(Yield());
    co_return co_await Yield();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(other());
    absl::Status failure;
    for (int i = 0; i < 20 && failure.ok(); ++i) {
      int before = turns;
      absl::Status status = co_await race.Interrupted(twice());
      failure = Expect(Uninterrupted(status).ok() && (!status.ok() || turns >= before + 2), "a yield was none");
    }
    over = true;
    co_await group.Join();
    co_return failure;
  };
  co_return co_await WithTaskGroup(body);
}

constexpr Scenario kScenarios[] = {
    {"Sleeps", &Sleeps}, {"SleepsUntil", &SleepsUntil}, {"Ticks", &Ticks}, {"Yields", &Yields}};

}  // namespace

std::span<const Scenario> TimeScenarios() { return kScenarios; }

}  // namespace proactor
