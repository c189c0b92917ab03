// SPDX-License-Identifier: Apache-2.0
//
// WithDeadline, WithStopToken, Canceller: what ends a scope, and when.
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "proactor/canceller.h"
#include "proactor/sleep.h"
#include "proactor/stop_token.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "proactor/until_stopping.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

// A time of day ends what takes longer, and nothing before it has come.
Task<absl::Status> Deadlines(Race& race) {
  const Clock& clock = (co_await CurrentContext()).loop->clock;
  for (int i = 0; i < 20; ++i) {
    const absl::Duration duration = race.Moment(), limit = race.Moment();
    const MonotonicTime start = clock.Now();
    absl::Status ended;
    auto limited = [&]() -> Task<absl::Status> {
      ended = co_await WithDeadline(clock.WallTime() + limit, Sleep(duration));
      co_return ended;
    };
    absl::Status status = co_await race.Interrupted(limited());
    co_await Try(Uninterrupted(status));
    const absl::Duration taken = clock.Now() - start;
    co_await Try(Expect(!status.ok() || taken >= duration, "a sleep ended early"));
    // A time of day is only exact where nobody sets it.
    if (!race.system.exact) continue;
    co_await Try(Expect(!absl::IsDeadlineExceeded(ended) || taken >= limit, "a deadline came early"));
    co_await Try(Expect(taken <= limit, "a deadline was missed"));
  }
  co_return absl::OkStatus();
}

// The stop is requested before it begins, while it runs, or when it is over.
Task<absl::Status> StopTokens(Race& race) {
  const Clock& clock = (co_await CurrentContext()).loop->clock;
  for (int i = 0; i < 10; ++i) {
    std::stop_source source;
    std::optional<MonotonicTime> requested;
    auto request = [&] {
      requested = clock.Now();
      source.request_stop();
    };
    auto later = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(race.Moment()));
      request();
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      const bool at_once = race.Below(4) == 0;
      if (at_once) {
        request();
      } else {
        group.Spawn(later());
      }
      const absl::Duration duration = race.Moment();
      const MonotonicTime start = clock.Now();
      absl::Status status = co_await race.Interrupted(WithStopToken(source.get_token(), Sleep(duration)));
      co_await Try(Uninterrupted(status));
      co_await Try(Expect(!status.ok() || clock.Now() - start >= duration, "a sleep ended early"));
      co_await Try(Expect(!status.ok() || !at_once, "it began though it was stopped"));
      bool in_time = !race.system.exact || !requested.has_value() || clock.Now() <= *requested;
      co_await Try(Expect(in_time, "a request to stop was missed"));
      // Some requests come when there is nothing left to stop.
      if (race.Below(2) == 0) group.Cancel();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(body));
  }
  co_return absl::OkStatus();
}

// Of scopes that end meanwhile, and have ended.
Task<absl::Status> Cancellers(Race& race) {
  const Clock& clock = (co_await CurrentContext()).loop->clock;
  std::vector<Canceller> cancellers;
  std::optional<MonotonicTime> asked;  // The latest scope.
  auto ask = [&]() -> Task<absl::Status> {
    while (true) {
      co_await Try(Sleep(race.Moment()));
      if (cancellers.empty()) continue;
      const bool latest = race.Below(2) == 0;
      const Canceller& canceller = latest ? cancellers.back() : cancellers[race.UpTo(cancellers.size()) - 1];
      if (latest && !asked.has_value()) asked = clock.Now();
      race.Below(2) == 0 ? canceller.Cancel("asked") : canceller.StopSoon();
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(ask());
    for (int i = 0; i < 20; ++i) {
      const absl::Duration duration = race.Moment();
      const MonotonicTime start = clock.Now();
      auto scoped = [&](CancelScope& scope) -> Task<absl::Status> {
        cancellers.emplace_back(scope);
        asked.reset();
        bool slept = co_await Try(UntilStopping(Sleep(duration)));
        co_return slept ? absl::OkStatus() : absl::CancelledError("stopped");
      };
      absl::Status status = co_await race.Interrupted(WithCancelScope(scoped));
      co_await Try(Uninterrupted(status));
      co_await Try(Expect(!status.ok() || clock.Now() - start >= duration, "a sleep ended early"));
      bool in_time = !race.system.exact || !asked.has_value() || clock.Now() <= *asked;
      co_await Try(Expect(in_time, "a request of a canceller was missed"));
    }
    group.Cancel();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

constexpr Scenario kScenarios[] = {{"Deadlines", &Deadlines}, {"StopTokens", &StopTokens}, {"Cancellers", &Cancellers}};

}  // namespace

std::span<const Scenario> ScopeScenarios() { return kScenarios; }

}  // namespace proactor
