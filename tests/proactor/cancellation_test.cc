// SPDX-License-Identifier: Apache-2.0
#include "proactor/cancellation.h"

#include <cerrno>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/net/tcp.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "proactor/yield.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class CancelScopeTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(CancelScopeTest);

TEST_P(CancelScopeTest, CancelEndsWhatWaitsInIt) {
  auto body = []() -> Task<absl::Status> {
    auto scoped = [](CancelScope& scope) -> Task<absl::Status> {
      scope.Cancel();
      co_return co_await Sleep(absl::Hours(1));
    };
    co_return co_await WithCancelScope(scoped);
  };
  EXPECT_THAT(Run(body()), StatusIs(absl::StatusCode::kCancelled));
  ExpectElapsed(absl::ZeroDuration());
}

TEST_P(CancelScopeTest, CancelFromASiblingEndsASleepInProgress) {
  absl::Status slept;
  CancelScope* scope = nullptr;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto sleeper = [&]() -> Task<absl::Status> {
      auto scoped = [&](CancelScope& own) -> Task<absl::Status> {
        scope = &own;
        co_return co_await Sleep(absl::Hours(1));
      };
      slept = co_await WithCancelScope(scoped);
      co_return absl::OkStatus();
    };
    auto killer = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(3)));
      scope->Cancel();
      co_return absl::OkStatus();
    };
    group.Spawn(sleeper());
    group.Spawn(killer());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(slept, StatusIs(absl::StatusCode::kCancelled));
  ExpectElapsed(absl::Milliseconds(3));
}

// A task waits in the innermost of the scopes that it has entered; cancelling one around it must find it there, and
// cancelling one that it has left must not.
TEST_P(CancelScopeTest, OnlyAWaitInsideTheScopeIsCancelled) {
  auto body = [&]() -> Task<absl::Status> {
    const Context& context = co_await CurrentContext();
    CancelScope outer(context);
    CancelScope shielded(outer.context(), CancelScope::kShielded);
    CancelScope elsewhere(context);
    const MonotonicTime soon = scheduler().Now() + absl::Milliseconds(1);
    outer.SetDeadline(soon);
    elsewhere.SetDeadline(soon);
    absl::Status in_shield = co_await internal::InScope(shielded, Sleep(absl::Milliseconds(5)));
    EXPECT_THAT(in_shield, IsOk());
    EXPECT_TRUE(outer.cancelled() && elsewhere.cancelled());
    co_return co_await Sleep(absl::Milliseconds(5));
  };
  EXPECT_THAT(Run(body()), IsOk());
  ExpectElapsed(absl::Milliseconds(10));
}

TEST_P(CancelScopeTest, IsLevelTriggeredSoThatSwallowingItIsHarmless) {
  int cancelled = 0;
  auto body = [&]() -> Task<absl::Status> {
    auto scoped = [&](CancelScope& scope) -> Task<absl::Status> {
      scope.Cancel();
      for (int i = 0; i < 100; ++i) {
        absl::Status status = co_await Sleep(absl::Hours(1));
        cancelled += absl::IsCancelled(status);
      }
      co_return absl::OkStatus();
    };
    co_return co_await WithCancelScope(scoped);
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(cancelled, 100);
  ExpectElapsed(absl::ZeroDuration());
}

// Invariant 5: a coroutine that completes without suspending cannot starve the others for ever.
TEST_P(CancelScopeTest, ACoroutineThatIgnoresItsCancellationDoesNotStarveOthers) {
  bool stop = false;
  int ignored = 0;
  auto body = [&]() -> Task<absl::Status> {
    auto group_body = [&](TaskGroup& group) -> Task<absl::Status> {
      auto stubborn = [&]() -> Task<absl::Status> {
        CancelScope scope(co_await CurrentContext());
        scope.Cancel();
        auto spin = [&]() -> Task<void> {
          for (; !stop; ++ignored) static_cast<void>(co_await Sleep(absl::Hours(1)));
        };
        co_await internal::InScope(scope, spin());
        co_return absl::OkStatus();
      };
      group.Spawn(stubborn());
      for (int i = 0; i < 10; ++i) co_await Try(Sleep(absl::ZeroDuration()));
      stop = true;
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(group_body);
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_LE(ignored, 12 * (ReadyQueue::kInlineCompletions + 1));
}

TEST_P(CancelScopeTest, ReachesEveryOpenScopeBelowAndNoShieldedOne) {
  auto body = [&]() -> Task<absl::Status> {
    const Context& context = co_await CurrentContext();
    CancelScope top(context);
    CancelScope left(top.context());
    CancelScope shielded(top.context(), CancelScope::kShielded);
    CancelScope below_shielded(shielded.context());
    CancelScope right(top.context());
    CancelScope below_left(left.context());
    CancelScope below_below(below_left.context());
    CancelScope below_right(right.context());
    top.Cancel();
    EXPECT_EQ(top.cause(), CancelCause::kRequested);
    for (CancelScope* scope : {&left, &right, &below_left, &below_below, &below_right}) {
      EXPECT_EQ(scope->cause(), CancelCause::kParent);
    }
    EXPECT_FALSE(shielded.cancelled());
    EXPECT_FALSE(below_shielded.cancelled());
    CancelScope late(below_left.context());
    EXPECT_EQ(late.cause(), CancelCause::kParent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(CancelScopeTest, DoesNotTouchScopesOutside) {
  auto body = [&]() -> Task<absl::Status> {
    const Context& context = co_await CurrentContext();
    CancelScope outer(context);
    CancelScope inner(outer.context());
    CancelScope sibling(outer.context());
    inner.Cancel();
    EXPECT_FALSE(outer.cancelled());
    EXPECT_FALSE(sibling.cancelled());
    co_return co_await Sleep(absl::Milliseconds(1));
  };
  EXPECT_THAT(Run(body()), IsOk());
}

class CancelScopeInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(CancelScopeInTimeTest);

TEST_P(CancelScopeInTimeTest, ADeadlineIsCancelledWithTheFirstCauseKept) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope outer(co_await CurrentContext());
    CancelScope inner(outer.context());
    inner.SetTimeout(absl::Seconds(1));
    outer.SetTimeout(absl::Seconds(2));
    absl::Status status = co_await internal::InScope(inner, Sleep(absl::Hours(1)));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(inner.cause(), CancelCause::kDeadline);
    EXPECT_FALSE(outer.cancelled());
    status = co_await internal::InScope(outer, Sleep(absl::Hours(1)));
    EXPECT_EQ(outer.cause(), CancelCause::kDeadline);
    EXPECT_EQ(inner.cause(), CancelCause::kDeadline);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

TEST_P(CancelScopeTest, AParentsDeadlineIsInForceBelow) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope outer(co_await CurrentContext());
    outer.SetTimeout(absl::Milliseconds(1));
    CancelScope inner(outer.context());
    inner.SetTimeout(absl::Milliseconds(5));
    absl::Status status = co_await internal::InScope(inner, Sleep(absl::Hours(1)));
    EXPECT_EQ(inner.cause(), CancelCause::kParent);
    co_return status;
  };
  EXPECT_THAT(Run(body()), StatusIs(absl::StatusCode::kCancelled));
  ExpectElapsed(absl::Milliseconds(1));
}

TEST_P(CancelScopeTest, ALaterDeadlineReplacesTheFirst) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope scope(co_await CurrentContext());
    scope.SetTimeout(absl::Milliseconds(1));
    scope.SetTimeout(absl::Milliseconds(5));
    co_return co_await internal::InScope(scope, Sleep(absl::Hours(1)));
  };
  EXPECT_THAT(Run(body()), StatusIs(absl::StatusCode::kCancelled));
  ExpectElapsed(absl::Milliseconds(5));
}

TEST_P(CancelScopeTest, ADeadlineThatWasMissedCannotBePutOff) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope scope(co_await CurrentContext());
    scope.SetTimeout(absl::Milliseconds(1));
    absl::Status first = co_await internal::InScope(scope, Sleep(absl::Hours(1)));
    EXPECT_THAT(first, StatusIs(absl::StatusCode::kCancelled));
    scope.SetTimeout(absl::Hours(1));
    EXPECT_EQ(scope.deadline(), MonotonicTime::Past());
    co_return co_await internal::InScope(scope, Sleep(absl::Minutes(1)));
  };
  EXPECT_THAT(Run(body()), StatusIs(absl::StatusCode::kCancelled));
  ExpectElapsed(absl::Milliseconds(1));
}

// By somebody who was due at the same moment: the deadline came first, whoever set it first.
TEST_P(CancelScopeInTimeTest, ADeadlineCanBePutOffUntilItsMomentHasCome) {
  for (absl::Duration before : {absl::Nanoseconds(1), absl::ZeroDuration()}) {
    Bench bench(GetParam());
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      CancelScope scope(co_await CurrentContext());
      auto extend = [&]() -> Task<absl::Status> {
        co_await Try(Sleep(absl::Seconds(1) - before));
        scope.SetTimeout(absl::Seconds(1));
        co_return absl::OkStatus();
      };
      group.Spawn(extend());
      scope.SetTimeout(absl::Seconds(1));
      absl::Status status = co_await internal::InScope(scope, Sleep(absl::Hours(1)));
      co_await group.Join();
      co_return status;
    };
    EXPECT_THAT(bench.Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kCancelled));
    bool put_off = before > absl::ZeroDuration();
    EXPECT_EQ(bench.Elapsed(), put_off ? absl::Seconds(2) - before : absl::Seconds(1));
  }
}

TEST_P(CancelScopeTest, AHundredThousandNestedScopesAreCancelledWithoutRecursion) {
  auto body = [&]() -> Task<absl::Status> {
    const Context& context = co_await CurrentContext();
    std::vector<std::unique_ptr<CancelScope>> scopes;
    scopes.push_back(std::make_unique<CancelScope>(context));
    for (int i = 0; i < 100'000; ++i) scopes.push_back(std::make_unique<CancelScope>(scopes.back()->context()));
    scopes.front()->Cancel();
    bool reached = scopes.back()->cancelled();
    while (!scopes.empty()) scopes.pop_back();
    co_return reached ? absl::OkStatus() : absl::InternalError("the innermost scope was not reached");
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(CancelScopeTest, KnowsWhichScopeItWasThatWasCancelledAndWhy) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope top(co_await CurrentContext());
    CancelScope middle(top.context());
    CancelScope bottom(middle.context());
    EXPECT_EQ(bottom.cancelled_by(), nullptr);
    EXPECT_EQ(bottom.reason(), "");
    middle.Cancel("enough");
    // Cancelled later, so not what cancelled those inside.
    top.Cancel("shutting down");
    CancelScope late(bottom.context());
    for (CancelScope* scope : {&middle, &bottom, &late}) {
      EXPECT_EQ(scope->cancelled_by(), &middle);
      EXPECT_EQ(scope->reason(), "enough");
    }
    EXPECT_EQ(top.cancelled_by(), &top);
    EXPECT_EQ(top.reason(), "shutting down");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(CancelScopeTest, TheFirstReasonStays) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope outer(co_await CurrentContext());
    CancelScope inner(outer.context());
    inner.Cancel("first");
    inner.Cancel("second");
    outer.Cancel("third");
    EXPECT_EQ(inner.reason(), "first");
    CancelScope silent(outer.context(), CancelScope::kShielded);
    silent.Cancel();
    silent.Cancel("too late");
    EXPECT_EQ(silent.reason(), "");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(CancelScopeInTimeTest, TheDeadlineIsTheTightestAround) {
  auto body = [&]() -> Task<absl::Status> {
    const Context& context = co_await CurrentContext();
    MonotonicTime now = context.loop->clock.Now();
    EXPECT_EQ(context.scope->deadline(), MonotonicTime::Infinite());
    CancelScope outer(context);
    CancelScope inner(outer.context());
    outer.SetTimeout(absl::Seconds(5));
    EXPECT_EQ(inner.deadline(), now + absl::Seconds(5));
    inner.SetTimeout(absl::Seconds(9));
    EXPECT_EQ(inner.deadline(), now + absl::Seconds(5)) << "a child cannot loosen it";
    inner.SetTimeout(absl::Seconds(3));
    EXPECT_EQ(inner.deadline(), now + absl::Seconds(3)) << "but tighten it";
    EXPECT_EQ(outer.deadline(), now + absl::Seconds(5)) << "for itself";
    outer.SetTimeout(absl::Seconds(2));
    EXPECT_EQ(inner.deadline(), now + absl::Seconds(2));

    CancelScope shielded(inner.context(), CancelScope::kShielded);
    CancelScope in_shield(shielded.context());
    EXPECT_EQ(in_shield.deadline(), MonotonicTime::Infinite()) << "a shield inherits none";
    shielded.SetTimeout(absl::Seconds(8));
    EXPECT_EQ(in_shield.deadline(), now + absl::Seconds(8)) << "but may have one";

    inner.Cancel();
    EXPECT_EQ(inner.deadline(), MonotonicTime::Past());
    EXPECT_EQ(outer.deadline(), now + absl::Seconds(2));
    EXPECT_EQ(in_shield.deadline(), now + absl::Seconds(8));
    absl::Status status = co_await internal::InScope(outer, Sleep(absl::Hours(1)));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(outer.deadline(), MonotonicTime::Past());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

// Invariant 4, for waiters in user space: cancelling ten thousand takes one turn, even one step. From then on all can
// run, and so they have run after as many turns as that many resumes are.
TEST_P(CancelScopeTest, TenThousandSleepersAreCancelledInOneTurn) {
  constexpr int kSleepers = 10'000;
  int asleep = 0, cancelled = 0;
  auto sleeper = [&]() -> Task<absl::Status> {
    ++asleep;
    absl::Status status = co_await Sleep(absl::Hours(1));
    cancelled += absl::IsCancelled(status);
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kSleepers; ++i) group.Spawn(sleeper());
    while (asleep < kSleepers) co_await Try(Yield());
    Loop& loop = *group.scope().context().loop;
    EXPECT_EQ(loop.timers.size(), kSleepers);
    const int64_t turns = counters().turns.value();
    group.Cancel();
    EXPECT_TRUE(loop.timers.empty()) << "Somebody still sleeps.";
    co_await group.Join();
    EXPECT_LE(counters().turns.value() - turns, kSleepers / ReadyQueue::kResumesPerTurn + 1);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(cancelled, kSleepers);
}

class TimeoutBeginTest : public BackendTest {};

// Time passes between the call and the end of the step: the deadline is as far from that as was asked for.
TEST_P(TimeoutBeginTest, ATimeoutBeginsAtTheEndOfTheStep) {
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    const Clock& clock = scope.context().loop->clock;
    scope.SetTimeout(absl::Hours(1));
    const MonotonicTime called = clock.Now();
    if (!simulated()) {
      while (clock.Now() < called + absl::Milliseconds(1)) {
      }
    }
    const MonotonicTime step_ends = clock.Now();
    co_await Try(Yield());
    EXPECT_GE(scope.deadline(), step_ends + absl::Hours(1));
    EXPECT_LE(scope.deadline(), clock.Now() + absl::Hours(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
}
INSTANTIATE_ON_EVERY_BACKEND(TimeoutBeginTest);

class CancelReasonTest : public BackendTest {};

// Whether it waits already, or begins in a scope that has been cancelled.
TEST_P(CancelReasonTest, IsInTheFailureOfWhateverWaits) {
  absl::Status accepted, accepted_late, slept, slept_late;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    auto accept = [&]() -> Task<absl::Status> {
      accepted = (co_await listener.Accept()).status();
      accepted_late = (co_await listener.Accept()).status();
      co_return absl::OkStatus();
    };
    auto sleep = [&]() -> Task<absl::Status> {
      slept = co_await Sleep(absl::Hours(1));
      slept_late = co_await WithTimeout(absl::Hours(1), Sleep(absl::Hours(1)));
      co_return absl::OkStatus();
    };
    group.Spawn(accept());
    group.Spawn(sleep());
    co_await Try(Sleep(absl::Milliseconds(1)));
    group.scope().Cancel("shutting down");
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(accepted, StatusIs(absl::StatusCode::kCancelled, "accept: Operation canceled (shutting down)"));
  EXPECT_THAT(accepted_late, StatusIs(absl::StatusCode::kCancelled, "accept: Operation canceled (shutting down)"));
  EXPECT_EQ(ErrnoOf(accepted), ECANCELED);
  EXPECT_THAT(slept, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (shutting down)"));
  EXPECT_THAT(slept_late, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (shutting down)"));
}

TEST_P(CancelReasonTest, OfADeadlineIsThatTheTimeIsOver) {
  absl::Status inner;
  auto body = [&]() -> Task<absl::Status> {
    inner = co_await Sleep(absl::Hours(1));
    co_return inner;
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(inner, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (its time is over)"));
}

INSTANTIATE_ON_EVERY_BACKEND(CancelReasonTest);

TEST(CancelScopeDeathTest, DestroyedWhileSomethingRunsInItEndsTheProcess) {
  auto body = []() -> Task<absl::Status> {
    auto scope = std::make_unique<CancelScope>(co_await CurrentContext());
    CancelScope inner(scope->context());
    scope.reset();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        static_cast<void>(world.Run(body()));
      },
      "A CancelScope was destroyed while something still ran in it");
}

}  // namespace
}  // namespace proactor
