// SPDX-License-Identifier: Apache-2.0
#include "proactor/run_blocking.h"

#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/sync/event.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class RunBlockingTest : public BackendTest {};

TEST_P(RunBlockingTest, YieldsWhatTheFunctionReturns) {
  auto body = []() -> Task<absl::Status> {
    absl::StatusOr<std::string> text = co_await RunBlocking([] { return std::string("value"); });
    EXPECT_THAT(text, IsOkAndHolds("value"));
    absl::Status nothing = co_await RunBlocking([] {});
    EXPECT_THAT(nothing, IsOk());
    absl::Status failed = co_await RunBlocking([] { return absl::NotFoundError("lost"); });
    EXPECT_THAT(failed, StatusIs(absl::StatusCode::kNotFound, "lost"));
    absl::StatusOr<int> number = co_await RunBlocking([]() -> absl::StatusOr<int> { return 7; });
    EXPECT_THAT(number, IsOkAndHolds(7));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(RunBlockingTest, ACancelledScopeDoesNotBeginWithIt) {
  bool called = false;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::Status status = co_await RunBlocking([&] { called = true; });
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_FALSE(called);
}

#if defined(__cpp_exceptions)
TEST_P(RunBlockingTest, WhatTheFunctionThrowsIsAStatus) {
  auto body = []() -> Task<absl::Status> {
    absl::StatusOr<int> result = co_await RunBlocking([]() -> int { throw std::runtime_error("no luck"); });
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kInternal, ::testing::HasSubstr("no luck")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}
#endif

TEST_P(RunBlockingTest, AStopTokenThatIsNotNeededChangesNothing) {
  bool called = false;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    absl::StatusOr<int> number =
        co_await RunBlocking([](std::stop_token token) { return token.stop_requested() ? 0 : 7; });
    EXPECT_THAT(number, IsOkAndHolds(7));
    group.Cancel();
    absl::Status status = co_await RunBlocking([&](std::stop_token) { called = true; });
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_FALSE(called);
}

INSTANTIATE_ON_EVERY_BACKEND(RunBlockingTest);

class RealRunBlockingTest : public BackendTest {};

// The function waits for something that only the loop does.
TEST_P(RealRunBlockingTest, TheLoopGoesOnMeanwhile) {
  std::binary_semaphore permission(0);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto permit = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(1)));
      permission.release();
      co_return absl::OkStatus();
    };
    group.Spawn(permit());
    absl::StatusOr<std::thread::id> where = co_await RunBlocking([&] {
      permission.acquire();
      return std::this_thread::get_id();
    });
    co_await group.Join();
    EXPECT_TRUE(where.ok() && *where != std::this_thread::get_id());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(RealRunBlockingTest, AFunctionThatRunsDelaysItsTimeoutAndIsDelivered) {
  std::binary_semaphore permission(0);
  Event begun;
  auto call = [&] {
    scheduler().Post([&] { begun.Set(); });
    permission.acquire();
    return 1;
  };
  CancelCause cause = CancelCause::kNone;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto scoped = [&](CancelScope& scope) -> Task<absl::StatusOr<int>> {
      auto permit = [&]() -> Task<absl::Status> {
        co_await Try(begun.Wait());
        scope.SetTimeout(absl::ZeroDuration());
        while (!scope.cancelled()) co_await Try(Sleep(absl::Microseconds(10)));
        permission.release();
        co_return absl::OkStatus();
      };
      group.Spawn(permit());
      absl::StatusOr<int> result = co_await RunBlocking(call);
      cause = scope.cause();
      co_await group.Join();
      co_return result;
    };
    absl::StatusOr<int> result = co_await WithCancelScope(scoped);
    EXPECT_THAT(result, IsOkAndHolds(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(cause, CancelCause::kDeadline);
}

TEST_P(RealRunBlockingTest, AFunctionThatTakesAStopTokenEndsEarly) {
  Event begun;
  auto until_stopped = [&](std::stop_token token) {
    scheduler().Post([&] { begun.Set(); });
    std::binary_semaphore stopped(0);
    std::stop_callback on_stop(token, [&] { stopped.release(); });
    stopped.acquire();
    return token.stop_requested();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto scoped = [&](CancelScope& scope) -> Task<absl::StatusOr<bool>> {
      auto stop = [&]() -> Task<absl::Status> {
        co_await Try(begun.Wait());
        scope.SetTimeout(absl::ZeroDuration());
        co_return absl::OkStatus();
      };
      group.Spawn(stop());
      co_return co_await RunBlocking(until_stopped);
    };
    absl::StatusOr<bool> result = co_await WithCancelScope(scoped);
    EXPECT_THAT(result, IsOkAndHolds(true));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_REAL_BACKENDS(RealRunBlockingTest);

}  // namespace
}  // namespace proactor
