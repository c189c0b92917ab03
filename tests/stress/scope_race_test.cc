// SPDX-License-Identifier: Apache-2.0
//
// Cancellations, timeouts, the end of a grace, stopping and completion at every relative moment: the first of them is
// what the result says, and of several at the same moment one.
//
// Simulated, the moments are exact, and often the same; with a kernel nothing may be early. $PROACTOR_SEEDS sets how
// many runs (simulated; a tenth of it with a kernel).
#include <stdlib.h>

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/net/tcp.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "proactor/until_stopping.h"
#include "tests/stress/chance.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class Race : public Chance {
 public:
  Race(Scheduler& scheduler, uint64_t seed, bool exact) : Chance(seed, 6), scheduler(scheduler), exact(exact) {}

  // Whether what was due at `moment` may be what ended a wait of `elapsed`.
  bool MayHaveBeen(absl::Duration moment, absl::Duration elapsed) const {
    return exact ? moment == elapsed : moment <= elapsed;
  }

  Scheduler& scheduler;
  const bool exact;
};

// Runs `body(scope)` beside a task that calls `act(scope)` at `moment`. Yields how long the body took.
template <class Body, class Act>
Task<absl::StatusOr<absl::Duration>> Beside(Race& race, absl::Duration moment, Act& act, Body& body) {
  absl::Duration elapsed;
  auto group_body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto actor = [&](CancelScope& scope) -> Task<absl::Status> {
      absl::Status status = co_await Sleep(moment);
      if (status.ok()) act(scope);
      co_return absl::OkStatus();
    };
    auto scoped = [&](CancelScope& scope) -> Task<absl::Status> {
      group.Spawn(actor(scope));
      MonotonicTime start = race.scheduler.Now();
      co_await body(scope);
      elapsed = race.scheduler.Now() - start;
      co_await group.Join();  // The actor refers to the scope.
      co_return absl::OkStatus();
    };
    co_return co_await WithCancelScope(scoped);
  };
  co_await Try(WithTaskGroup(group_body));
  co_return elapsed;
}

bool CancelledWith(const absl::Status& status, const char* reason) {
  return absl::IsCancelled(status) && absl::StrContains(status.message(), reason);
}

// Two timeouts, a cancellation from outside of both, and a completion.
Task<absl::Status> Timeouts(Race& race) {
  const absl::Duration completes = race.Moment(), inner_time = race.Moment(), outer_time = race.Moment(),
                       cancelled = race.Moment();
  absl::Status inner, outer;
  auto nested = [&]() -> Task<absl::Status> {
    inner = co_await WithTimeout(inner_time, Sleep(completes));
    co_return inner;
  };
  auto body = [&](CancelScope&) -> Task<void> { outer = co_await WithTimeout(outer_time, nested()); };
  auto cancel = [](CancelScope& scope) { scope.Cancel("from outside"); };
  absl::Duration elapsed = co_await Try(Beside(race, cancelled, cancel, body));
  if (inner.ok()) {
    EXPECT_TRUE(race.MayHaveBeen(completes, elapsed));
    EXPECT_THAT(outer, IsOk());
  } else if (absl::IsDeadlineExceeded(inner)) {
    EXPECT_TRUE(race.MayHaveBeen(inner_time, elapsed));
    EXPECT_THAT(outer, StatusIs(absl::StatusCode::kDeadlineExceeded));
  } else if (CancelledWith(inner, "(its time is over)")) {
    EXPECT_TRUE(race.MayHaveBeen(outer_time, elapsed));
    EXPECT_THAT(outer, StatusIs(absl::StatusCode::kDeadlineExceeded));
  } else {
    EXPECT_TRUE(CancelledWith(inner, "(from outside)")) << inner;
    EXPECT_TRUE(race.MayHaveBeen(cancelled, elapsed));
    EXPECT_TRUE(CancelledWith(outer, "(from outside)")) << outer;
  }
  co_return absl::OkStatus();
}

Task<absl::Status> Shields(Race& race) {
  const absl::Duration completes = race.Moment(), grace = race.Moment(), cancelled = race.Moment();
  absl::Status result;
  auto body = [&](CancelScope&) -> Task<void> { result = co_await Shield(Sleep(completes), {.grace = grace}); };
  auto cancel = [](CancelScope& scope) { scope.Cancel("from outside"); };
  absl::Duration elapsed = co_await Try(Beside(race, cancelled, cancel, body));
  if (result.ok()) {
    EXPECT_TRUE(race.MayHaveBeen(completes, elapsed));
  } else {
    EXPECT_TRUE(CancelledWith(result, "(from outside)")) << result;
    EXPECT_TRUE(race.MayHaveBeen(cancelled + grace, elapsed));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> Stops(Race& race) {
  const absl::Duration completes = race.Moment(), stopped = race.Moment(), over = race.Moment();
  absl::StatusOr<bool> result;
  auto body = [&](CancelScope& scope) -> Task<void> {
    CancelScope timed(scope.context());
    timed.SetTimeout(over);
    result = co_await internal::InScope(timed, UntilStopping(Sleep(completes)));
  };
  auto stop = [](CancelScope& scope) { scope.StopSoon(); };
  absl::Duration elapsed = co_await Try(Beside(race, stopped, stop, body));
  if (result.ok()) {
    EXPECT_TRUE(race.MayHaveBeen(*result ? completes : stopped, elapsed));
  } else {
    EXPECT_TRUE(CancelledWith(result.status(), "(its time is over)")) << result.status();
    EXPECT_TRUE(race.MayHaveBeen(over, elapsed));
  }
  co_return absl::OkStatus();
}

// Every connection that a stopping loop has accepted is there; the others learn that they are not.
Task<absl::Status> Accepts(Race& race) {
  constexpr int kClients = 3;
  int accepted = 0, answered = 0;
  auto body = [&](TaskGroup& service) -> Task<absl::Status> {
    SocketAddress address;
    auto serve = [&](TcpListener listener) -> Task<absl::Status> {
      while (std::optional<TcpStream> stream = co_await Try(UntilStopping(listener.Accept()))) {
        ++accepted;
        co_await Try(stream->WriteAll("!"));
      }
      co_return absl::OkStatus();
    };
    auto client = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(race.Moment()));
      absl::StatusOr<TcpStream> stream = co_await TcpStream::Connect(address);
      if (!stream.ok()) co_return absl::OkStatus();
      char byte;
      absl::StatusOr<size_t> n = co_await stream->Read({&byte, 1});
      answered += n.ok() && *n == 1;
      co_return absl::OkStatus();
    };
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    address = co_await Try(listener.LocalAddress());
    service.Spawn(serve(std::move(listener)));
    for (int i = 0; i < kClients; ++i) service.Spawn(client());
    co_await Try(Sleep(race.Moment()));
    service.scope().StopSoon();
    co_await service.Join();
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return accepted == answered ? absl::OkStatus() : absl::DataLossError("an accepted connection was lost");
}

struct Scenario {
  const char* name;
  Task<absl::Status> (*run)(Race&);
};
constexpr Scenario kScenarios[] = {
    {"Timeouts", &Timeouts}, {"Shields", &Shields}, {"Stops", &Stops}, {"Accepts", &Accepts}};

class ScopeRaceTest : public ::testing::TestWithParam<Scenario> {
 protected:
  static int Seeds() {
    const char* text = getenv("PROACTOR_SEEDS");
    return text != nullptr ? atoi(text) : 5000;
  }
};

TEST_P(ScopeRaceTest, SimulatedTheFirstEventIsTheResult) {
  for (int seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SimulatedWorld world({.seed = static_cast<uint64_t>(seed)});
    Race race(world.scheduler(), static_cast<uint64_t>(seed), true);
    absl::Status status = world.Run(GetParam().run(race));
    EXPECT_THAT(status, IsOk());
  }
}

TEST_P(ScopeRaceTest, InAKernelNoResultIsEarlyOrOfAnothersMaking) {
  for (Backend backend : kRealBackends) {
    Bench bench(backend);
    for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
      Race race(bench.scheduler(), static_cast<uint64_t>(seed), false);
      absl::Status status = bench.Run(GetParam().run(race));
      EXPECT_THAT(status, IsOk()) << BackendName(backend) << ", seed " << seed;
    }
  }
}

TEST_P(ScopeRaceTest, OverFakeKernelsNoResultIsEarlyOrOfAnothersMaking) {
  for (Backend backend : {Backend::kFakeIoUring, Backend::kFakeEpoll}) {
    for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
      Bench bench(backend, static_cast<uint64_t>(seed));
      Race race(bench.scheduler(), static_cast<uint64_t>(seed), false);
      absl::Status status = bench.Run(GetParam().run(race));
      EXPECT_THAT(status, IsOk()) << BackendName(backend) << ", seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, ScopeRaceTest, ::testing::ValuesIn(kScenarios),
                         [](const ::testing::TestParamInfo<Scenario>& info) { return info.param.name; });

}  // namespace
}  // namespace proactor
