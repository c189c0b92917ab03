// SPDX-License-Identifier: Apache-2.0
#include "proactor/any.h"

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/receipt.h"

namespace proactor {
namespace {

Task<absl::StatusOr<std::string>> YieldAfter(absl::Duration duration, std::string value) {
  co_await Try(Sleep(duration));
  co_return value;
}
Task<absl::StatusOr<std::string>> FailAfter(absl::Duration duration, absl::Status failure) {
  co_await Try(Sleep(duration));
  co_return failure;
}

class AnyTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(AnyTest);

TEST_P(AnyTest, TheFirstSuccessWinsAndTheOthersAreCancelled) {
  auto any = Run(Any(YieldAfter(absl::Hours(1), "late"), YieldAfter(absl::Microseconds(1), "early")));
  EXPECT_TRUE(any.ok());
  EXPECT_EQ(any.first, 1u);
  EXPECT_THAT(std::get<0>(any.results), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(std::get<1>(any.results), IsOkAndHolds("early"));
  EXPECT_THAT(std::move(any).TakeFirst(), IsOkAndHolds("early"));
}

TEST_P(AnyTest, AFailureDoesNotWin) {
  auto any =
      Run(Any(FailAfter(absl::ZeroDuration(), absl::AbortedError("no")), YieldAfter(absl::Microseconds(100), "yes")));
  EXPECT_EQ(any.first, 1u);
  EXPECT_THAT(std::get<0>(any.results), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(std::move(any).TakeFirst(), IsOkAndHolds("yes"));
}

TEST_P(AnyTest, WhenAllFailTheFailuresAreThere) {
  auto any = Run(Any(FailAfter(absl::Milliseconds(2), absl::DataLossError("second")),
                     FailAfter(absl::ZeroDuration(), absl::AbortedError("first"))));
  EXPECT_FALSE(any.ok());
  EXPECT_EQ(any.first, 1u);
  EXPECT_THAT(std::get<0>(any.results), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(std::get<1>(any.results), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(std::move(any).TakeFirst(), StatusIs(absl::StatusCode::kAborted, "first"));
}

TEST_P(AnyTest, WhatCannotFailSucceeds) {
  auto nothing = []() -> Task<void> { co_return; };
  auto any = Run(Any(Sleep(absl::Hours(1)), nothing()));
  EXPECT_TRUE(any.ok());
  EXPECT_EQ(any.first, 1u);
}

TEST_P(AnyTest, AVectorYieldsAVector) {
  std::vector<Task<absl::StatusOr<std::string>>> tasks;
  for (int i = 0; i < 20; ++i)
    tasks.push_back(YieldAfter(i == 7 ? absl::Microseconds(1) : absl::Hours(i + 1), "seven"));
  auto any = Run(Any(std::move(tasks)));
  EXPECT_EQ(any.first, 7u);
  EXPECT_EQ(any.results.size(), 20u);
  EXPECT_THAT(std::move(any).TakeFirst(), IsOkAndHolds("seven"));
}

TEST_P(AnyTest, OneAloneWinsOrFailsAsItDoes) {
  auto won = Run(Any(YieldAfter(absl::Microseconds(1), "alone")));
  EXPECT_TRUE(won.ok());
  EXPECT_THAT(std::move(won).TakeFirst(), IsOkAndHolds("alone"));
  auto lost = Run(Any(FailAfter(absl::Microseconds(1), absl::AbortedError("no"))));
  EXPECT_FALSE(lost.ok());
  EXPECT_THAT(std::move(lost).TakeFirst(), StatusIs(absl::StatusCode::kAborted));
}

TEST_P(AnyTest, NobodyOfNothingSucceeds) {
  auto any = Run(Any(std::vector<Task<int>>()));
  EXPECT_FALSE(any.ok());
  EXPECT_TRUE(any.results.empty());
}

TEST_P(AnyTest, CancelledFromOutsideCancelsAll) {
  auto body = []() -> Task<absl::StatusOr<std::string>> {
    auto any = co_await Any(YieldAfter(absl::Hours(1), "a"), YieldAfter(absl::Hours(1), "b"));
    co_return std::move(any).TakeFirst();
  };
  EXPECT_THAT(Run(WithTimeout(absl::Microseconds(1), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// Losers are awaited, and what they did in spite of the cancellation is delivered.
TEST_P(AnyTest, EveryResultThatHappenedIsReturned) {
  Ledger ledger;
  auto connect = [&]() -> Task<absl::StatusOr<Receipt>> {
    absl::Status waited = co_await Sleep(absl::Microseconds(1));
    co_return ledger.Issue();
  };
  auto body = [&]() -> Task<absl::Status> {
    auto any = co_await Any(connect(), connect(), connect());
    ledger.Accept(*std::get<0>(std::move(any.results)));
    ledger.Accept(*std::get<1>(std::move(any.results)));
    ledger.Accept(*std::get<2>(std::move(any.results)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(ledger.accepted(), 3);
  EXPECT_EQ(ledger.outstanding(), 0);
}

Task<absl::StatusOr<Receipt>> Hold(Receipt receipt) { co_return std::move(receipt); }

TEST_P(AnyTest, WrittenInlineDestroysEverythingOnce) {
  Ledger ledger;
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      Receipt first = co_await Try((co_await Any(Hold(ledger.Issue()), Hold(ledger.Issue()))).TakeFirst());
      static_cast<void>(co_await Any(Hold(ledger.Issue()), Sleep(absl::ZeroDuration())));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(ledger.issued(), 9);
  EXPECT_EQ(ledger.dropped(), 9);
}

class AnyInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(AnyInTimeTest);

TEST_P(AnyInTimeTest, WaitsForLosersToEnd) {
  auto slow = []() -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    co_return co_await Shield(Sleep(absl::Seconds(10)));
  };
  auto any = Run(Any(slow(), Sleep(absl::Seconds(1))));
  EXPECT_EQ(any.first, 1u);
  EXPECT_THAT(std::get<0>(any.results), IsOk());
  EXPECT_EQ(Elapsed(), absl::Seconds(11));
}

}  // namespace
}  // namespace proactor
