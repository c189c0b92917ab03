// SPDX-License-Identifier: Apache-2.0
#include "proactor/timeout.h"

#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

Task<absl::StatusOr<int>> AnswerAfter(absl::Duration duration) {
  co_await Try(Sleep(duration));
  co_return 42;
}

class WithTimeoutTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(WithTimeoutTest);

TEST_P(WithTimeoutTest, AResultInTimePassesThrough) {
  EXPECT_THAT(Run(WithTimeout(absl::Hours(1), AnswerAfter(absl::Milliseconds(3)))), IsOkAndHolds(42));
  ExpectElapsed(absl::Milliseconds(3));
}

TEST_P(WithTimeoutTest, TooLateIsDeadlineExceeded) {
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(2), AnswerAfter(absl::Hours(1)))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  ExpectElapsed(absl::Milliseconds(2));
}

TEST_P(WithTimeoutTest, AnOuterTimeoutIsNotTakenForTheInnerOne) {
  absl::Status inner_status;
  auto inner = [&]() -> Task<absl::Status> {
    inner_status = co_await WithTimeout(absl::Hours(1), Sleep(absl::Hours(2)));
    co_return inner_status;
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), inner())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(inner_status, StatusIs(absl::StatusCode::kCancelled));
}

class WithTimeoutInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(WithTimeoutInTimeTest);

// Both fall due together: the scope around knows of its own, and takes the other's for what it is.
TEST_P(WithTimeoutInTimeTest, NestedTimeoutsAreToldApartWhicheverIsEarlier) {
  struct Case {
    absl::Duration outer, inner;
    absl::StatusCode inner_code;
  };
  constexpr absl::Duration kSooner = absl::Seconds(1), kLater = absl::Seconds(2);
  for (const Case& times :
       {Case{kSooner, kLater, absl::StatusCode::kCancelled}, Case{kSooner, kSooner, absl::StatusCode::kCancelled},
        Case{kLater, kSooner, absl::StatusCode::kDeadlineExceeded}}) {
    Bench bench(GetParam());
    absl::Status inner_status, after;
    auto inner = [&]() -> Task<absl::Status> {
      inner_status = co_await WithTimeout(times.inner, Sleep(absl::Hours(1)));
      after = co_await Sleep(absl::ZeroDuration());
      co_return absl::IsCancelled(inner_status) ? inner_status : absl::OkStatus();
    };
    absl::Status outer_status = bench.Run(WithTimeout(times.outer, inner()));
    EXPECT_THAT(inner_status, StatusIs(times.inner_code));
    bool inner_expired = times.inner_code == absl::StatusCode::kDeadlineExceeded;
    EXPECT_THAT(outer_status, StatusIs(inner_expired ? absl::StatusCode::kOk : absl::StatusCode::kDeadlineExceeded));
    EXPECT_THAT(after, StatusIs(inner_expired ? absl::StatusCode::kOk : absl::StatusCode::kCancelled));
    EXPECT_EQ(bench.Elapsed(), kSooner);
  }
}

// Cancels a scope when timers fire, so before or after another timer with the same deadline.
struct CancelAlarm final : Timer {
  void Fire() override { scope->Cancel("shutting down"); }
  CancelScope* scope = nullptr;
};

TEST_P(WithTimeoutInTimeTest, AnOuterCancellationInTheSameTurnIsToldApart) {
  for (bool cancelled_first : {true, false}) {
    Bench bench(GetParam());
    CancelAlarm alarm;
    absl::Status inner_status;
    auto body = [&](CancelScope& outer) -> Task<absl::Status> {
      Loop& loop = *outer.context().loop;
      alarm.scope = &outer;
      auto start_alarm = [&] { loop.timers.StartAfter(alarm, absl::Seconds(1)); };
      if (cancelled_first) start_alarm();
      auto inner = [&]() -> Task<absl::Status> {
        if (!cancelled_first) start_alarm();
        co_return co_await Sleep(absl::Hours(1));
      };
      inner_status = co_await WithTimeout(absl::Seconds(1), inner());
      EXPECT_EQ(outer.reason(), "shutting down");
      co_return co_await Sleep(absl::Hours(1));
    };
    EXPECT_THAT(bench.Run(WithCancelScope(body)),
                StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (shutting down)"));
    if (cancelled_first) {
      EXPECT_THAT(inner_status, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (shutting down)"));
    } else {
      EXPECT_THAT(inner_status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    }
    EXPECT_EQ(bench.Elapsed(), absl::Seconds(1));
  }
}

TEST_P(WithTimeoutTest, AResultDeliveredWhileBeingCancelledIsKept) {
  auto stubborn = []() -> Task<absl::StatusOr<int>> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return 7;
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), stubborn())), IsOkAndHolds(7));
}

TEST_P(WithTimeoutTest, AnotherFailureAfterTheDeadlineIsReportedAsItIs) {
  auto failing = []() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return absl::DataLossError("rollback failed");
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), failing())), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_P(WithTimeoutTest, AResultThatCannotFailBecomesOneThatCan) {
  auto number = []() -> Task<int> { co_return 3; };
  auto nothing = []() -> Task<void> { co_return; };
  absl::StatusOr<int> result = Run(WithTimeout(absl::Hours(1), number()));
  EXPECT_THAT(result, IsOkAndHolds(3));
  absl::Status status = Run(WithTimeout(absl::Hours(1), nothing()));
  EXPECT_THAT(status, IsOk());
}

TEST_P(WithTimeoutTest, AnUnexpiredTimeoutLeavesNoTimerBehind) {
  auto body = []() -> Task<absl::Status> {
    for (int i = 0; i < 1000; ++i) {
      absl::Status status = co_await WithTimeout(absl::Hours(1), Sleep(absl::ZeroDuration()));
      co_await Try(std::move(status));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counters().timers_fired.value(), 0);
  ExpectElapsed(absl::ZeroDuration());
}

class WithDeadlineTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(WithDeadlineTest);

TEST_P(WithDeadlineTest, ATimeOfDayIsADeadline) {
  absl::Time deadline = scheduler().proactor().WallTime() + absl::Milliseconds(90);
  EXPECT_THAT(Run(WithDeadline(deadline, AnswerAfter(absl::Hours(1)))), StatusIs(absl::StatusCode::kDeadlineExceeded));
  ExpectElapsed(absl::Milliseconds(90));
}

class ShieldTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(ShieldTest);

TEST_P(ShieldTest, RunsToItsEndInACancelledScope) {
  absl::Status cleaned_up;
  auto body = [&]() -> Task<absl::Status> {
    absl::Status status = co_await Sleep(absl::Hours(1));
    cleaned_up = co_await Shield(Sleep(absl::Milliseconds(2)));
    co_return status;
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(cleaned_up, IsOk());
  ExpectElapsed(absl::Milliseconds(3));
}

class ShieldInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(ShieldInTimeTest);

TEST_P(ShieldInTimeTest, HoldsForItsGraceAndThenLetsTheCancellationIn) {
  absl::Status in_time, too_late, swallowed;
  auto cleanup = [&]() -> Task<absl::Status> {
    in_time = co_await Sleep(absl::Seconds(1));
    too_late = co_await Sleep(absl::Seconds(2));
    swallowed = co_await Sleep(absl::Seconds(3));
    co_return too_late;
  };
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    scope.Cancel("shutting down");
    co_return co_await Shield(cleanup(), {.grace = absl::Seconds(2)});
  };
  EXPECT_THAT(Run(WithCancelScope(body)),
              StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (shutting down)"));
  EXPECT_THAT(in_time, IsOk());
  EXPECT_THAT(swallowed, StatusIs(absl::StatusCode::kCancelled)) << "it stays cancelled";
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

TEST_P(ShieldInTimeTest, TheGraceBeginsWithTheCancellationNotWithTheShield) {
  MonotonicTime before, after;
  auto body = [&]() -> Task<absl::Status> {
    auto work = [&]() -> Task<absl::Status> {
      CancelScope& own = *(co_await CurrentContext()).scope;
      before = own.deadline();
      co_await Try(Sleep(absl::Seconds(11)));
      after = own.deadline();
      co_return co_await Sleep(absl::Hours(1));
    };
    co_return co_await Shield(work(), {.grace = absl::Seconds(2)});
  };
  MonotonicTime start = scheduler().Now();
  EXPECT_THAT(Run(WithTimeout(absl::Seconds(10), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(before, MonotonicTime::Infinite());
  EXPECT_EQ(after, start + absl::Seconds(12));
  EXPECT_EQ(Elapsed(), absl::Seconds(12));
}

TEST_P(ShieldTest, EachShieldHasItsWholeGrace) {
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    scope.Cancel();
    for (int i = 0; i < 3; ++i) {
      absl::Status status = co_await Shield(Sleep(absl::Hours(1)), {.grace = absl::Milliseconds(2)});
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    }
    auto nested = [&]() -> Task<absl::Status> {
      co_return co_await Shield(Sleep(absl::Hours(1)), {.grace = absl::Milliseconds(1)});
    };
    absl::Status status = co_await Shield(nested(), {.grace = absl::Milliseconds(2)});
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
  ExpectElapsed(absl::Milliseconds(3 * 2 + 2 + 1));
}

TEST_P(ShieldTest, WithoutACancellationItsGraceMeansNothing) {
  EXPECT_THAT(Run(Shield(Sleep(absl::Milliseconds(9)), {.grace = absl::Milliseconds(2)})), IsOk());
  ExpectElapsed(absl::Milliseconds(9));
  EXPECT_EQ(counters().timers_fired.value(), 1);
}

// Also one that ends in the turn in which its grace does.
TEST_P(ShieldInTimeTest, AResultInTheGraceIsDelivered) {
  for (absl::Duration moment : {absl::Seconds(1), absl::Seconds(2)}) {
    Bench bench(GetParam());
    auto body = [&](CancelScope& scope) -> Task<absl::StatusOr<int>> {
      auto cleanup = [&]() -> Task<absl::StatusOr<int>> {
        co_await Try(Sleep(moment));
        co_return 7;
      };
      auto cancel_first = [&]() -> Task<absl::StatusOr<int>> {
        scope.Cancel();
        co_return co_await cleanup();
      };
      co_return co_await Shield(cancel_first(), {.grace = absl::Seconds(2) + absl::Nanoseconds(1)});
    };
    EXPECT_THAT(bench.Run(WithCancelScope(body)), IsOkAndHolds(7));
    EXPECT_EQ(bench.Elapsed(), moment);
  }
}

class WithCancelScopeTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(WithCancelScopeTest);

TEST_P(WithCancelScopeTest, TheBodyCanCancelItself) {
  auto body = [](CancelScope& scope) -> Task<absl::StatusOr<int>> {
    scope.SetTimeout(absl::Milliseconds(4));
    co_await Try(Sleep(absl::Hours(1)));
    co_return 1;
  };
  EXPECT_THAT(Run(WithCancelScope(body)), StatusIs(absl::StatusCode::kCancelled));
  ExpectElapsed(absl::Milliseconds(4));
}

}  // namespace
}  // namespace proactor
