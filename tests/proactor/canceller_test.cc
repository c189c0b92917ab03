// SPDX-License-Identifier: Apache-2.0
#include "proactor/canceller.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "proactor/until_stopping.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class CancellerTest : public BackendTest {};

TEST_P(CancellerTest, CancelsWithAReasonInALaterStep) {
  auto body = [](CancelScope& scope) -> Task<absl::Status> {
    Canceller canceller(scope);
    Canceller(scope).Cancel("first");
    canceller.Cancel("second");
    canceller.StopSoon();
    EXPECT_FALSE(scope.cancelled());
    absl::Status status = co_await Sleep(absl::Hours(1));
    EXPECT_TRUE(scope.stopping());
    canceller.Cancel("third");
    co_return status;
  };
  EXPECT_THAT(Run(WithCancelScope(body)), StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (first)"));
}

TEST_P(CancellerTest, StopsSoonAndCancelsLater) {
  auto body = [](CancelScope& scope) -> Task<absl::Status> {
    Canceller canceller(scope);
    canceller.StopSoon();
    absl::StatusOr<bool> waited = co_await UntilStopping(Sleep(absl::Hours(1)));
    EXPECT_THAT(waited, IsOkAndHolds(false));
    EXPECT_FALSE(scope.cancelled());
    canceller.Cancel();
    co_return co_await Sleep(absl::Hours(1));
  };
  EXPECT_THAT(Run(WithCancelScope(body)), StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled"));
}

TEST_P(CancellerTest, DoesNothingOnceTheScopeHasEnded) {
  std::optional<Canceller> canceller;
  auto body = [&]() -> Task<absl::Status> {
    auto scoped = [&](CancelScope& scope) -> Task<absl::Status> {
      canceller.emplace(scope);
      co_return absl::OkStatus();
    };
    co_await Try(WithCancelScope(scoped));
    canceller->Cancel();
    auto left_behind = [&](CancelScope& scope) -> Task<absl::Status> {
      canceller.emplace(scope);
      canceller->Cancel();  // Arrives when the scope has ended.
      co_return absl::OkStatus();
    };
    co_await Try(WithCancelScope(left_behind));
    co_return co_await Sleep(absl::Milliseconds(1));
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counters().wakes_sent.value() + counters().wakes_elided.value(), 1);
}

// Also of the root, which has all that the scheduler runs in it.
TEST_P(CancellerTest, MayOutliveTheScheduler) {
  std::optional<Canceller> early, late;
  {
    Bench bench(GetParam());
    auto body = [&]() -> Task<absl::Status> {
      early.emplace(*(co_await CurrentContext()).scope);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(body()), IsOk());
    late = early;
    late->Cancel();  // Is discarded with the loop.
  }
  early->Cancel();
  late->StopSoon();
}

INSTANTIATE_ON_EVERY_BACKEND(CancellerTest);

// Threads: with a kernel only, because a simulation does not wait for threads.
class CancellerThreadsTest : public BackendTest {};

TEST_P(CancellerThreadsTest, WakesALoopThatSleepsForEver) {
  auto body = [](CancelScope& scope) -> Task<absl::Status> {
    std::thread watchdog([canceller = Canceller(scope)] { canceller.Cancel("trouble"); });
    absl::Status status = co_await Sleep(absl::InfiniteDuration());
    watchdog.join();
    co_return status;
  };
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(Run(WithCancelScope(body)),
                StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (trouble)"));
  }
}

// Several threads ask at all times: before the scope waits, while it ends, when the loop has gone.
TEST_P(CancellerThreadsTest, MayBeUsedAtAnyTime) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    std::atomic<bool> over = false;
    {
      Bench bench(GetParam());
      auto scoped = [&](CancelScope& scope) -> Task<absl::Status> {
        for (int id = 0; id < kThreads; ++id) {
          threads.emplace_back([&over, id, canceller = Canceller(scope)] {
            do {
              id == 0 ? canceller.StopSoon() : canceller.Cancel("trouble");
              Canceller copy = canceller;
              copy.Cancel();
            } while (!over);
          });
        }
        for (int i = 0; i < round % 8; ++i) static_cast<void>(co_await Sleep(absl::ZeroDuration()));
        // Some rounds wait for it, the others end before or after it has come.
        if (round % 2 == 0) co_return co_await Sleep(absl::InfiniteDuration());
        co_return absl::OkStatus();
      };
      absl::Status status = bench.Run(WithCancelScope(scoped));
      EXPECT_EQ(status.ok(), round % 2 != 0) << status;
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
  }
}

INSTANTIATE_ON_REAL_BACKENDS(CancellerThreadsTest);

}  // namespace
}  // namespace proactor
