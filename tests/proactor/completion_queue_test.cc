// SPDX-License-Identifier: Apache-2.0
#include "proactor/completion_queue.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/receipt.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

using Numbers = CompletionQueue<absl::StatusOr<int>>;

Task<absl::StatusOr<int>> YieldAfter(absl::Duration duration, int value) {
  co_await Try(Sleep(duration));
  co_return value;
}

class CompletionQueueTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(CompletionQueueTest);

TEST_P(CompletionQueueTest, YieldsResultsUntilNothingIsLeft) {
  int sum = 0;
  auto body = [&](Numbers& queue) -> Task<absl::Status> {
    for (int i = 1; i <= 10; ++i) queue.Add(YieldAfter(absl::Microseconds(i % 3), i), {.name = "number"});
    while (std::optional<absl::StatusOr<int>> number = co_await Try(queue.Next())) sum += **number;
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<int>>(body)), IsOk());
  EXPECT_EQ(sum, 55);
}

TEST_P(CompletionQueueTest, WithoutTasksThereIsNothingToWaitFor) {
  auto body = [](Numbers& queue) -> Task<absl::StatusOr<bool>> { co_return !(co_await Try(queue.Next())).has_value(); };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<int>>(body)), IsOkAndHolds(true));
}

TEST_P(CompletionQueueTest, TakesAnythingThatYieldsItsKindOfResult) {
  std::vector<absl::StatusCode> codes;
  auto body = [&](CompletionQueue<absl::Status>& queue) -> Task<absl::Status> {
    queue.Add(Sleep(absl::Microseconds(1)));
    queue.Add(WithTimeout(absl::Microseconds(1), Sleep(absl::Hours(1))));
    while (auto status = co_await Try(queue.Next())) codes.push_back(status->code());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::Status>(body)), IsOk());
  EXPECT_THAT(codes, ::testing::UnorderedElementsAre(absl::StatusCode::kOk, absl::StatusCode::kDeadlineExceeded));
}

TEST_P(CompletionQueueTest, LeavingCancelsAndAwaitsWhatIsLeft) {
  Ledger ledger;
  int running = 0;
  auto work = [&](absl::Duration duration) -> Task<absl::StatusOr<Receipt>> {
    ++running;
    absl::Status slept = co_await Sleep(duration);
    --running;
    co_return ledger.Issue();
  };
  auto body = [&](CompletionQueue<absl::StatusOr<Receipt>>& queue) -> Task<absl::Status> {
    queue.Add(work(absl::Microseconds(1)));
    queue.Add(work(absl::Hours(1)));
    queue.Add(work(absl::Hours(1)));
    ledger.Accept(*std::move(*co_await Try(queue.Next())));
    co_return absl::AbortedError("enough");
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<Receipt>>(body)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(running, 0);
  EXPECT_EQ(ledger.accepted(), 1);
  EXPECT_EQ(ledger.dropped(), 2);
}

TEST_P(CompletionQueueTest, AfterCancelEveryResultCanBeTaken) {
  Ledger ledger;
  auto work = [&]() -> Task<absl::StatusOr<Receipt>> {
    absl::Status slept = co_await Sleep(absl::Hours(1));
    co_return ledger.Issue();
  };
  auto body = [&](CompletionQueue<absl::StatusOr<Receipt>>& queue) -> Task<absl::Status> {
    for (int i = 0; i < 5; ++i) queue.Add(work());
    queue.Cancel("enough");
    while (auto receipt = co_await Try(queue.Next())) ledger.Accept(*std::move(*receipt));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<Receipt>>(body)), IsOk());
  EXPECT_EQ(ledger.accepted(), 5);
}

class CompletionQueueInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(CompletionQueueInTimeTest);

TEST_P(CompletionQueueInTimeTest, ResultsComeInTheOrderOfCompletion) {
  std::vector<int> order;
  auto body = [&](Numbers& queue) -> Task<absl::Status> {
    for (int i : {3, 1, 5, 2, 4}) queue.Add(YieldAfter(absl::Seconds(i), i));
    co_await Try(Sleep(absl::Milliseconds(2500)));  // Two stand in line by then.
    while (auto number = co_await Try(queue.Next())) order.push_back(**number);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<int>>(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5));
}

TEST_P(CompletionQueueInTimeTest, ATaskMayAddAnother) {
  auto body = [&](Numbers& queue) -> Task<absl::StatusOr<int>> {
    auto first = [&]() -> Task<absl::StatusOr<int>> {
      queue.Add(YieldAfter(absl::Seconds(1), 2));
      co_return 1;
    };
    queue.Add(first());
    int sum = 0;
    while (auto number = co_await Try(queue.Next())) sum += **number;
    co_return sum;
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<int>>(body)), IsOkAndHolds(3));
}

TEST_P(CompletionQueueInTimeTest, ACancelledNextTakesNothing) {
  auto body = [&](Numbers& queue) -> Task<absl::StatusOr<int>> {
    queue.Add(YieldAfter(absl::Seconds(2), 7));
    absl::Status late = (co_await WithTimeout(absl::Seconds(1), queue.Next())).status();
    EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_return **co_await Try(queue.Next());
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<int>>(body)), IsOkAndHolds(7));
}

TEST_P(CompletionQueueInTimeTest, CancelledFromOutsideCancelsBodyAndTasks) {
  auto body = [&](Numbers& queue) -> Task<absl::Status> {
    queue.Add(YieldAfter(absl::Hours(2), 7));
    co_return (co_await queue.Next()).status();
  };
  EXPECT_THAT(Run(WithTimeout(absl::Seconds(1), WithCompletionQueue<absl::StatusOr<int>>(body))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Elapsed(), absl::Seconds(1));
}

TEST_P(CompletionQueueInTimeTest, OfSeveralWhoWaitEachGetsAResultOrHearsThatNoneIsLeft) {
  std::vector<int> taken;
  int left_empty = 0;
  auto body = [&](Numbers& queue) -> Task<absl::Status> {
    auto consume = [&]() -> Task<absl::Status> {
      while (auto number = co_await Try(queue.Next())) taken.push_back(**number);
      ++left_empty;
      co_return absl::OkStatus();
    };
    for (int i = 1; i <= 5; ++i) queue.Add(YieldAfter(absl::Seconds(i), i));
    auto consumers = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int i = 0; i < 3; ++i) group.Spawn(consume());
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(consumers);
  };
  EXPECT_THAT(Run(WithCompletionQueue<absl::StatusOr<int>>(body)), IsOk());
  EXPECT_THAT(taken, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(left_empty, 3);
}

}  // namespace
}  // namespace proactor
