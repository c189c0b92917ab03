// SPDX-License-Identifier: Apache-2.0
//
// Groups, shields, nested timeouts, All and Any, failures that are logged, and task-local values.
#include <string_view>
#include <tuple>
#include <utility>

#include "proactor/all.h"
#include "proactor/any.h"
#include "proactor/log.h"
#include "proactor/log_failure.h"
#include "proactor/task_group.h"
#include "proactor/task_local.h"
#include "proactor/try.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

// A group ends when its last child has, whoever fails, cancels or times out meanwhile.
Task<absl::Status> Groups(Race& race) {
  int started = 0;
  int ended = 0;
  auto child = [&]() -> Task<absl::Status> {
    ++started;
    absl::Status slept = co_await Sleep(race.Moment());
    ++ended;
    race.Count(slept);
    co_return slept.ok() && race.Below(8) == 0 ? absl::AbortedError("this child failed") : slept;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    int children = 1 + race.Below(6);
    for (int i = 0; i < children; ++i) {
      group.Spawn(child(), {.on_failure = race.Below(3) == 0 ? kLog : kCancelGroup});
      if (race.Below(3) == 0) co_await Try(Sleep(race.Moment()));
    }
    if (race.Below(6) == 0) group.Cancel();
    co_return absl::OkStatus();
  };
  absl::Status status = co_await race.Interrupted(WithTaskGroup(body));
  if (!Interruption(status) && !absl::IsAborted(status)) co_await Try(absl::Status(status));
  co_return Expect(started == ended, "a group ended before its children");
}

// What is shielded runs to its end, and what waits for that does too.
Task<absl::Status> Shields(Race& race) {
  for (int i = 0; i < 8; ++i) {
    bool begun = false;
    bool done = false;
    auto cleanup = [&]() -> Task<absl::Status> {
      begun = true;
      co_await Try(Sleep(race.Moment()));
      done = true;
      co_return absl::OkStatus();
    };
    auto work = [&]() -> Task<absl::Status> {
      absl::Status status = co_await Sleep(race.Moment());
      co_await Try(Shield(cleanup()));
      co_return status;
    };
    co_await Try(Uninterrupted(co_await race.Interrupted(work())));
    co_await Try(Expect(begun && done, "a shielded task was interrupted"));
  }
  co_return absl::OkStatus();
}

// The time that is over is told by who set it, and only by that one.
Task<absl::Status> Timeouts(Race& race) {
  for (int i = 0; i < 8; ++i) {
    absl::Duration inner = race.Moment();
    absl::Duration outer = race.Moment();
    MonotonicTime start = race.scheduler.Now();
    absl::Status seen;
    auto work = [&]() -> Task<absl::Status> {
      seen = co_await WithTimeout(inner, Sleep(absl::Hours(1)));
      co_return seen;
    };
    absl::Status status = co_await WithTimeout(outer, work());
    race.Count(seen);
    absl::Duration elapsed = race.scheduler.Now() - start;
    bool by_inner = absl::IsDeadlineExceeded(seen);
    ++(by_inner ? race.completed : race.interrupted);
    co_await Try(Expect(absl::IsDeadlineExceeded(status), "a timeout was not told"));
    co_await Try(Expect(by_inner || absl::IsCancelled(seen), "neither the one nor the other"));
    co_await Try(Expect(elapsed >= (by_inner ? inner : outer), "a timeout came early"));
  }
  co_return absl::OkStatus();
}

// Counts who runs, and is late, fails or succeeds.
struct Runners {
  Race& race;
  int running = 0;
  int succeeded = 0;

  Task<absl::StatusOr<int>> Run(int number) {
    ++running;
    absl::Status slept = co_await Sleep(race.Moment());
    --running;
    race.Count(slept);
    if (!slept.ok()) co_return slept;
    if (race.Below(4) == 0) co_return absl::AbortedError("this one failed");
    ++succeeded;
    co_return number;
  }
};

// All ends when everybody has, with every value or with the first failure.
Task<absl::Status> Alls(Race& race) {
  Runners runners{race};
  auto all = co_await race.Interrupted(All(runners.Run(1), runners.Run(2), runners.Run(3)));
  co_await Try(Expect(runners.running == 0, "All ended before what runs in it"));
  if (!all.ok() && !absl::IsAborted(all.status())) co_return Uninterrupted(all.status());
  co_await Try(Expect(all.ok() == (runners.succeeded == 3), "not all, or too many, succeeded"));
  co_return Expect(!all.ok() || *all == std::tuple(1, 2, 3), "the values are wrong");
}

// Any ends when everybody has, and every result that happened is there.
Task<absl::Status> Anys(Race& race) {
  Runners runners{race};
  int found = 0;
  auto race_them = [&]() -> Task<absl::Status> {
    auto any = co_await Any(runners.Run(1), runners.Run(2), runners.Run(3));
    auto count = [&](const auto&... results) { found = (0 + ... + (results.ok() ? 1 : 0)); };
    std::apply(count, any.results);
    co_return absl::OkStatus();
  };
  co_await Try(Uninterrupted(co_await race.Interrupted(race_them())));
  co_await Try(Expect(runners.running == 0, "Any ended before what runs in it"));
  co_return Expect(found == runners.succeeded, "a result was lost");
}

// A failure is logged once and a cancellation never, and who waits for both waits for their ends.
Task<absl::Status> LoggedFailures(Race& race) {
  static int logged;
  logged = 0;
  int failed = 0;
  int ended = 0;
  auto work = [&]() -> Task<absl::Status> {
    absl::Status slept = co_await Sleep(race.Moment());
    race.Count(slept);
    ++ended;
    if (!slept.ok() || race.Below(2) == 0) co_return slept;
    ++failed;
    co_return absl::AbortedError("this one failed");
  };
  auto both = [&]() -> Task<absl::Status> {
    co_await All(LogFailure(work(), "first"), LogFailure(work(), "second"));
    co_return absl::OkStatus();
  };
  LogSink before = SetLogSink([](LogSeverity, std::string_view) { ++logged; });
  absl::Status status = co_await race.Interrupted(both());
  SetLogSink(before);
  co_await Try(Uninterrupted(status));
  co_await Try(Expect(ended == 2, "somebody did not wait for the end"));
  co_return Expect(logged == failed, "not each failure was logged, or something else was");
}

constinit TaskLocal<int> number(0);

// Everybody sees what was bound around him, whoever has ended meanwhile, and how.
Task<absl::Status> Locals(Race& race) {
  bool right = true;
  auto look = [&](int expected) -> Task<absl::Status> {
    for (int i = 0; i < 2; ++i) {
      int before = co_await number.Get();
      absl::Status slept = co_await Sleep(race.Moment());
      race.Count(slept);
      int after = co_await number.Get();
      right = right && before == expected && after == expected;
      co_await Try(std::move(slept));
    }
    co_return absl::OkStatus();
  };
  auto nest = [&](int outer) -> Task<absl::Status> {
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(look(outer));
      group.Spawn(WithTaskLocal(number, outer + 100, look(outer + 100)));
      co_return co_await WithTaskLocal(number, outer + 200, look(outer + 200));
    };
    absl::Status status = co_await WithTaskGroup(body);
    int after = co_await number.Get();
    right = right && after == outer;
    co_return status;
  };
  for (int i = 1; i <= 3; ++i) {
    co_await Try(Uninterrupted(co_await race.Interrupted(WithTaskLocal(number, i, nest(i)))));
    int after = co_await number.Get();
    right = right && after == 0;
  }
  co_return Expect(right, "a value was not the one that is bound there");
}

constexpr Scenario kScenarios[] = {{"Groups", &Groups}, {"Shields", &Shields}, {"Timeouts", &Timeouts},
                                   {"Alls", &Alls},     {"Anys", &Anys},       {"LoggedFailures", &LoggedFailures},
                                   {"Locals", &Locals}};

}  // namespace

std::span<const Scenario> CombinatorScenarios() { return kScenarios; }

}  // namespace proactor
