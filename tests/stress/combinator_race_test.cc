// SPDX-License-Identifier: Apache-2.0
//
// Several things at the same time, of which each completes, fails, is cancelled or runs out of time at every relative
// moment; every result that happened is delivered once, or dropped once where that is the rule.
//
// A seed decides the moments. $PROACTOR_SEEDS sets how many runs, as in race_test.cc.
#include <stdlib.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/all.h"
#include "proactor/any.h"
#include "proactor/completion_queue.h"
#include "proactor/context.h"
#include "proactor/ready.h"
#include "proactor/retry.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/stress/chance.h"
#include "tests/support/backends.h"
#include "tests/support/receipt.h"

namespace proactor {
namespace {

using Result = absl::StatusOr<Receipt>;

// What one race has to work with.
class Race : public Chance {
 public:
  explicit Race(uint64_t seed) : Chance(seed, 8) {}

  // Ends at some moment: with a receipt, with a failure, or as its cancellation wants it. Some need a moment more.
  Task<Result> Work() {
    absl::Duration duration = Moment();
    int temper = Below(6);
    absl::Status slept = co_await Sleep(duration);
    if (!slept.ok() && temper == 0) co_await Try(Shield(Sleep(Moment())));
    if (!slept.ok() && temper < 4) co_return slept;
    if (temper == 3) co_return absl::AbortedError("it failed");
    co_return ledger.Issue();
  }

  // Awaits under a deadline, in a scope that has another.
  template <class A>
  Task<internal::AwaitResult<A>> Interrupted(A awaitable) {
    CancelScope scope(co_await CurrentContext());
    scope.SetTimeout(Below(3) == 0 ? absl::Seconds(10) : Moment());
    co_return co_await internal::InScope(scope, std::move(awaitable));
  }

  void Accept(Result result) {
    if (result.ok()) ledger.Accept(*std::move(result));
    ++(result.ok() ? completed : interrupted);
  }

  Ledger ledger;
  int completed = 0;
  int interrupted = 0;
};

absl::Status Expect(bool condition, const char* sentence) {
  return condition ? absl::OkStatus() : absl::InternalError(sentence);
}

// All delivers everything, or a failure.
Task<absl::Status> RaceAll(Race& race) {
  for (int i = 0; i < 5; ++i) {
    int before = race.ledger.issued();
    auto all = co_await race.Interrupted(All(race.Work(), race.Work(), race.Work()));
    if (all.ok()) {
      co_await Try(Expect(race.ledger.issued() == before + 3, "three results are three successes"));
      race.Accept(std::get<0>(*std::move(all)));
      race.Accept(std::get<1>(*std::move(all)));
      race.Accept(std::get<2>(*std::move(all)));
    } else {
      ++race.interrupted;
      // What the others had done is dropped by then.
      co_await Try(Expect(race.ledger.outstanding() == 0, "a failure drops the rest"));
    }
  }
  co_return absl::OkStatus();
}

Task<absl::Status> RaceAllOfVector(Race& race) {
  std::vector<Task<Result>> tasks;
  for (int i = race.Below(6); i > 0; --i) tasks.push_back(race.Work());
  auto all = co_await race.Interrupted(All(std::move(tasks)));
  if (!all.ok()) ++race.interrupted;
  if (!all.ok()) co_return absl::OkStatus();
  for (Receipt& receipt : *all) race.Accept(std::move(receipt));
  co_return Expect(race.ledger.dropped() == 0, "a success drops nothing");
}

// AllSettled and Any deliver every result that happened.
Task<absl::Status> RaceAllSettled(Race& race) {
  for (int i = 0; i < 5; ++i) {
    auto results = co_await race.Interrupted(AllSettled(race.Work(), Sleep(race.Moment()), race.Work()));
    race.Accept(std::get<0>(std::move(results)));
    race.Accept(std::get<2>(std::move(results)));
  }
  co_return Expect(race.ledger.dropped() == 0, "AllSettled drops nothing");
}

Task<absl::Status> RaceAny(Race& race) {
  for (int i = 0; i < 5; ++i) {
    auto any = co_await race.Interrupted(Any(race.Work(), race.Work(), race.Work()));
    bool succeeded = std::get<0>(any.results).ok() || std::get<1>(any.results).ok() || std::get<2>(any.results).ok();
    co_await Try(Expect(succeeded == any.ok(), "a success wins"));
    race.Accept(std::get<0>(std::move(any.results)));
    race.Accept(std::get<1>(std::move(any.results)));
    race.Accept(std::get<2>(std::move(any.results)));
  }
  co_return Expect(race.ledger.dropped() == 0, "Any drops nothing");
}

Task<absl::Status> RaceAnyOfVector(Race& race) {
  std::vector<Task<Result>> tasks;
  for (int i = race.Below(6) + 1; i > 0; --i) tasks.push_back(race.Work());
  auto any = co_await race.Interrupted(Any(std::move(tasks)));
  co_await Try(Expect(any.results[any.first].ok() == any.ok(), "the first is the winner, if anybody won"));
  for (Result& result : any.results) race.Accept(std::move(result));
  co_return Expect(race.ledger.dropped() == 0, "Any drops nothing");
}

// One inside of another, with what cannot be cancelled among them.
Task<absl::Status> RaceNested(Race& race) {
  auto inner = [&]() -> Task<Result> {
    auto any = co_await Any(race.Work(), race.Work());
    race.Accept(std::get<1>(std::move(any.results)));
    co_return std::get<0>(std::move(any.results));
  };
  auto results = co_await race.Interrupted(AllSettled(inner(), inner(), Shield(inner())));
  race.Accept(std::get<0>(std::move(results)));
  race.Accept(std::get<1>(std::move(results)));
  race.Accept(std::get<2>(std::move(results)));
  co_return Expect(race.ledger.dropped() == 0, "nothing is dropped on the way out");
}

// A child that is started is ready, or has ended before its starter goes on; what it said is delivered.
Task<absl::Status> RaceStart(Race& race) {
  int running = 0;
  auto child = [&](Ready<Receipt>& ready) -> Task<absl::Status> {
    ++running;
    Result prepared = co_await race.Work();
    if (prepared.ok()) ready.Set(*std::move(prepared));
    absl::Status lived = prepared.status();
    // Not by `?:`, in which GCC 12 destroys one of the two twice.
    if (lived.ok()) lived = co_await Sleep(race.Moment());
    --running;
    co_return absl::IsCancelled(lived) ? absl::OkStatus() : lived;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 4; ++i) {
      int before = group.running();
      Result started = co_await race.Interrupted(StartAndWaitReady<Receipt>(group, child));
      if (!started.ok()) co_await Try(Expect(group.running() <= before + 1, "a child that was not ready is left"));
      race.Accept(std::move(started));
    }
    if (race.Below(3) == 0) group.Cancel();
    co_return absl::OkStatus();
  };
  absl::Status status = co_await WithTaskGroup(body, {.max_running = race.Below(3)});
  co_await Try(Expect(status.ok() || absl::IsAborted(status) || absl::IsCancelled(status), "an odd failure"));
  co_await Try(Expect(running == 0, "a child is left"));
  co_return Expect(race.ledger.dropped() == 0, "what a child said is delivered");
}

// Each failure is told, the limit holds, and a loop with back-pressure never has more than its own child in line.
Task<absl::Status> RaceGroup(Race& race) {
  int failed = 0, now = 0, ended = 0, spawned = 0;
  int limit = 1 + race.Below(3);
  bool held = true;
  auto child = [&]() -> Task<absl::Status> {
    held = held && ++now <= limit;
    Result result = co_await race.Work();
    --now;
    ++ended;
    absl::Status status = result.status();
    race.Accept(std::move(result));
    failed += absl::IsAborted(status);
    co_return absl::IsCancelled(status) ? absl::OkStatus() : status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 8; ++i) {
      absl::Status room = co_await race.Interrupted(group.WaitForRoom());
      if (room.ok()) held = held && group.running() < limit;
      if (room.ok() || race.Below(2) == 0) {
        group.Spawn(child());
        ++spawned;
      }
      if (!room.ok()) break;
    }
    if (race.Below(3) == 0) group.Cancel();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  absl::Status status = co_await WithTaskGroup(body, {.max_running = limit, .collect_failures = true});
  co_await Try(Expect(held, "more than allowed were running"));
  co_await Try(Expect(ended == spawned, "a child was lost"));
  std::string told = std::to_string(failed) + " failed: ";
  co_return Expect(failed == 0 ? status.ok() : status.message().substr(0, told.size()) == told, "a failure was lost");
}

// Everything comes out of a completion queue once, or is dropped with it.
Task<absl::Status> RaceQueue(Race& race) {
  int added = 0, taken = 0;
  bool drained = false;
  auto body = [&](CompletionQueue<Result>& queue) -> Task<absl::Status> {
    for (int i = 0; i < 6; ++i) {
      queue.Add(race.Work());
      ++added;
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      absl::StatusOr<std::optional<Result>> next = co_await race.Interrupted(queue.Next());
      if (!next.ok()) continue;
      ++taken;
      co_await Try(Expect(next->has_value(), "nothing came, though something runs"));
      race.Accept(**std::move(next));
    }
    if (race.Below(3) == 0) co_return absl::OkStatus();
    if (race.Below(3) == 0) queue.Cancel();
    while (std::optional<Result> result = co_await Try(queue.Next())) {
      ++taken;
      race.Accept(*std::move(result));
    }
    drained = true;
    co_return absl::OkStatus();
  };
  co_await Try(WithCompletionQueue<Result>(body));
  if (!drained) co_return absl::OkStatus();
  co_await Try(Expect(taken == added, "a result was lost, or came twice"));
  co_return Expect(race.ledger.dropped() == 0, "a result was dropped");
}

// Retries end in time, and by what was asked for.
Task<absl::Status> RaceRetry(Race& race) {
  int attempts = 0;
  auto attempt = [&] {
    ++attempts;
    return race.Work();
  };
  RetryOptions options = {.attempts = 1 + race.Below(4), .first_delay = race.Moment(), .may_pass = &absl::IsAborted};
  Result result = co_await race.Interrupted(Retry(attempt, options));
  co_await Try(Expect(attempts <= options.attempts, "too many attempts"));
  race.Accept(std::move(result));
  co_return Expect(race.ledger.dropped() == 0, "a success was dropped");
}

struct Scenario {
  const char* name;
  Task<absl::Status> (*run)(Race&);
};
constexpr Scenario kScenarios[] = {{"All", &RaceAll},
                                   {"AllOfVector", &RaceAllOfVector},
                                   {"AllSettled", &RaceAllSettled},
                                   {"Any", &RaceAny},
                                   {"AnyOfVector", &RaceAnyOfVector},
                                   {"Nested", &RaceNested},
                                   {"Start", &RaceStart},
                                   {"Group", &RaceGroup},
                                   {"Queue", &RaceQueue},
                                   {"Retry", &RaceRetry}};

class CombinatorRaceTest : public ::testing::TestWithParam<Scenario> {
 protected:
  static int Seeds() {
    const char* text = getenv("PROACTOR_SEEDS");
    return text != nullptr ? atoi(text) : 2000;
  }
};

TEST_P(CombinatorRaceTest, SimulatedAtEveryMomentEachResultIsDeliveredOnce) {
  int completed = 0;
  int interrupted = 0;
  for (int seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SimulatedWorld world({.seed = static_cast<uint64_t>(seed)});
    Race race(static_cast<uint64_t>(seed));
    EXPECT_THAT(world.Run(GetParam().run(race)), IsOk());
    EXPECT_EQ(race.ledger.outstanding(), 0);
    completed += race.completed;
    interrupted += race.interrupted;
  }
  // There were races, with winners of both kinds.
  EXPECT_GT(completed, Seeds() / 5);
  EXPECT_GT(interrupted, Seeds() / 5);
}

TEST_P(CombinatorRaceTest, InAKernelAtRandomMomentsEachResultIsDeliveredOnce) {
  for (Backend backend : kRealBackends) {
    Bench bench(backend);
    for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
      Race race(static_cast<uint64_t>(seed));
      EXPECT_THAT(bench.Run(GetParam().run(race)), IsOk()) << BackendName(backend) << ", seed " << seed;
      EXPECT_EQ(race.ledger.outstanding(), 0);
    }
  }
}

// The real proactors, where timers and turns come as faults of a kernel let them.
TEST_P(CombinatorRaceTest, OverFakeKernelsEachResultIsDeliveredOnce) {
  for (Backend backend : {Backend::kFakeIoUring, Backend::kFakeEpoll}) {
    for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
      Bench bench(backend, static_cast<uint64_t>(seed));
      Race race(static_cast<uint64_t>(seed));
      EXPECT_THAT(bench.Run(GetParam().run(race)), IsOk()) << BackendName(backend) << ", seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, CombinatorRaceTest, ::testing::ValuesIn(kScenarios),
                         [](const ::testing::TestParamInfo<Scenario>& info) { return info.param.name; });

}  // namespace
}  // namespace proactor
