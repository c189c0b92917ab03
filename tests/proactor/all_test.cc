// SPDX-License-Identifier: Apache-2.0
#include "proactor/all.h"

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/receipt.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class T>
Task<absl::StatusOr<T>> YieldAfter(absl::Duration duration, T value) {
  co_await Try(Sleep(duration));
  co_return std::move(value);
}

Task<absl::Status> FailAfter(absl::Duration duration, absl::Status failure) {
  co_await Try(Sleep(duration));
  co_return failure;
}

Task<int> Plain(int value) { co_return value; }
Task<void> Nothing() { co_return; }

class AllTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(AllTest);

TEST_P(AllTest, YieldsTheValuesInTheOrderOfItsArguments) {
  auto body = []() -> Task<absl::StatusOr<std::string>> {
    auto [number, text] = co_await Try(
        All(YieldAfter(absl::Microseconds(200), 5), YieldAfter(absl::Microseconds(100), std::string("five"))));
    co_return text + " is " + std::to_string(number);
  };
  EXPECT_THAT(Run(body()), IsOkAndHolds("five is 5"));
}

TEST_P(AllTest, WhatHasNoValueIsAMonostate) {
  auto body = []() -> Task<absl::StatusOr<int>> {
    std::tuple<int, std::monostate, std::monostate, int> values =
        co_await Try(All(YieldAfter(absl::ZeroDuration(), 1), Nothing(), Sleep(absl::Microseconds(1)), Plain(10)));
    co_return std::get<0>(values) + std::get<3>(values);
  };
  EXPECT_THAT(Run(body()), IsOkAndHolds(11));
}

TEST_P(AllTest, IfNothingHasAValueItIsAStatus) {
  EXPECT_THAT(Run(All(Sleep(absl::Microseconds(1)), Nothing())), IsOk());
  EXPECT_THAT(Run(All(Nothing(), FailAfter(absl::Microseconds(1), absl::AbortedError("no")))),
              StatusIs(absl::StatusCode::kAborted, "no"));
}

TEST_P(AllTest, AMoveOnlyValueWithoutADefaultPassesThrough) {
  Ledger ledger;
  auto one = [&]() -> Task<absl::StatusOr<Receipt>> { co_return ledger.Issue(); };
  auto body = [&]() -> Task<absl::Status> {
    std::tuple<Receipt, Receipt> values = co_await Try(All(one(), one()));
    ledger.Accept(std::get<0>(std::move(values)));
    ledger.Accept(std::get<1>(std::move(values)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(ledger.accepted(), 2);
  EXPECT_EQ(ledger.outstanding(), 0);
}

// GCC 12 destroys some temporaries of a co_await expression twice; AddressSanitizer sees it, and so do the counts.
Task<absl::StatusOr<Receipt>> Hold(Receipt receipt) { co_return std::move(receipt); }

TEST_P(AllTest, WrittenInlineDestroysEverythingOnce) {
  Ledger ledger;
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      co_await Try(All(Hold(ledger.Issue()), Hold(ledger.Issue()), Nothing()));
      static_cast<void>(co_await All(Hold(ledger.Issue())));
      static_cast<void>(co_await AllSettled(Hold(ledger.Issue()), Sleep(absl::ZeroDuration())));
      static_cast<void>(co_await WithTimeout(absl::Seconds(9), All(Hold(ledger.Issue()), Hold(ledger.Issue()))));
      co_await Try(All(All(Hold(ledger.Issue()), Nothing()), All(Nothing(), Nothing())));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(ledger.issued(), 21);
  EXPECT_EQ(ledger.dropped(), 21);
}

TEST_P(AllTest, OneThatIsNeverAwaitedIsDestroyedUnrun) {
  Ledger ledger;
  {
    auto unused = All(Hold(ledger.Issue()), Sleep(absl::Hours(1)));
    std::vector<Task<absl::StatusOr<Receipt>>> tasks;
    tasks.push_back(Hold(ledger.Issue()));
    auto unused_range = AllSettled(std::move(tasks));
  }
  EXPECT_EQ(ledger.dropped(), 2);
}

TEST_P(AllTest, AVectorYieldsAVector) {
  std::vector<Task<absl::StatusOr<int>>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(YieldAfter(absl::Microseconds(100 - i), i));
  absl::StatusOr<std::vector<int>> values = Run(All(std::move(tasks)));
  ASSERT_THAT(values, IsOk());
  ASSERT_EQ(values->size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ((*values)[i], i);
}

TEST_P(AllTest, AVectorOfWhatHasNoValueYieldsAStatus) {
  std::vector<internal::SleepAwaitable> sleeps(3, Sleep(absl::Microseconds(5)));
  EXPECT_THAT(Run(All(std::move(sleeps))), IsOk());
  std::vector<Task<absl::Status>> tasks;
  tasks.push_back(FailAfter(absl::Microseconds(5), absl::OkStatus()));
  tasks.push_back(FailAfter(absl::Microseconds(1), absl::AbortedError("no")));
  EXPECT_THAT(Run(All(std::move(tasks))), StatusIs(absl::StatusCode::kAborted, "no"));
}

TEST_P(AllTest, NothingAtAllSucceeds) {
  EXPECT_THAT(Run(All(std::vector<Task<absl::Status>>())), IsOk());
  EXPECT_THAT(Run(All(std::vector<Task<int>>())), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(Run(AllSettled(std::vector<Task<int>>())), IsEmpty());
}

TEST_P(AllTest, TheFirstFailureIsTheResultAndTheOthersAreAwaited) {
  absl::Status other;
  auto watch = [&]() -> Task<absl::Status> {
    other = co_await Sleep(absl::Hours(1));
    co_return other;
  };
  EXPECT_THAT(Run(All(watch(), FailAfter(absl::Microseconds(1), absl::DataLossError("lost")), watch())),
              StatusIs(absl::StatusCode::kDataLoss, "lost"));
  EXPECT_THAT(other, StatusIs(absl::StatusCode::kCancelled));
}

TEST_P(AllTest, CancelledFromOutsideCancelsAll) {
  EXPECT_THAT(Run(WithTimeout(absl::Microseconds(1), All(Sleep(absl::Hours(1)), YieldAfter(absl::Hours(1), 1)))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

class AllInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(AllInTimeTest);

TEST_P(AllInTimeTest, RunsAtTheSameTime) {
  EXPECT_THAT(Run(All(Sleep(absl::Seconds(3)), Sleep(absl::Seconds(5)), Sleep(absl::Seconds(4)))), IsOk());
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

TEST_P(AllInTimeTest, TheFirstFailureIsTheFirstInTime) {
  EXPECT_THAT(Run(All(FailAfter(absl::Seconds(2), absl::AbortedError("second")),
                      FailAfter(absl::Seconds(1), absl::DataLossError("first")))),
              StatusIs(absl::StatusCode::kDataLoss, "first"));
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
}

// Completion beats cancellation.
TEST_P(AllInTimeTest, SucceedsIfAllDoInSpiteOfACancellation) {
  auto stubborn = []() -> Task<absl::StatusOr<int>> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return 7;
  };
  EXPECT_THAT(Run(WithTimeout(absl::Seconds(1), All(stubborn(), stubborn()))),
              IsOkAndHolds(std::tuple<int, int>(7, 7)));
}

TEST_P(AllInTimeTest, WaitsForWhoTakesItsTimeToEnd) {
  auto slow = []() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return co_await Shield(Sleep(absl::Seconds(10)));
  };
  EXPECT_THAT(Run(All(slow(), FailAfter(absl::Seconds(1), absl::AbortedError("no")))),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(Elapsed(), absl::Seconds(11));
}

TEST_P(AllInTimeTest, ADumpShowsWhoWaitsForWhat) {
  auto body = []() -> Task<absl::Status> { co_return co_await All(Sleep(absl::Seconds(1)), Sleep(absl::Seconds(2))); };
  scheduler().Spawn(body(), "both");
  scheduler().Turn(MonotonicTime::Past());
  std::string dump = scheduler().Dump();
  scheduler().Shutdown();
  EXPECT_THAT(dump, HasSubstr("waits for 2 children of its own"));
  EXPECT_THAT(dump, HasSubstr("sleep for another 1s"));
  EXPECT_THAT(dump, HasSubstr("sleep for another 2s"));
}

class AllSettledTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(AllSettledTest);

TEST_P(AllSettledTest, YieldsWhatEachEndedWith) {
  std::tuple<absl::Status, absl::StatusOr<int>, int, std::monostate> results =
      Run(AllSettled(FailAfter(absl::Microseconds(1), absl::DataLossError("lost")),
                     YieldAfter(absl::Microseconds(100), 3), Plain(4), Nothing()));
  EXPECT_THAT(std::get<0>(results), StatusIs(absl::StatusCode::kDataLoss, "lost"));
  EXPECT_THAT(std::get<1>(results), IsOkAndHolds(3));
  EXPECT_EQ(std::get<2>(results), 4);
}

TEST_P(AllSettledTest, AVectorYieldsAVector) {
  std::vector<Task<absl::StatusOr<int>>> tasks;
  tasks.push_back(YieldAfter(absl::Microseconds(10), 1));
  tasks.push_back([]() -> Task<absl::StatusOr<int>> { co_return absl::AbortedError("no"); }());
  tasks.push_back(YieldAfter(absl::Microseconds(5), 3));
  std::vector<absl::StatusOr<int>> results = Run(AllSettled(std::move(tasks)));
  EXPECT_THAT(results, ElementsAre(IsOkAndHolds(1), StatusIs(absl::StatusCode::kAborted), IsOkAndHolds(3)));
}

}  // namespace
}  // namespace proactor
