// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/shared_future.h"

#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;
using ::testing::Pointee;

class SharedFutureTest : public BackendTest {};
// A simulated world does not wait for threads.
class SharedFutureThreadsTest : public BackendTest {};

TEST_P(SharedFutureTest, OnOneSchedulerItIsAFuture) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    SharedPromise<std::unique_ptr<int>> promise;
    SharedFuture<std::unique_ptr<int>> future = promise.GetFuture();
    absl::StatusOr<std::unique_ptr<int>> early = co_await WithTimeout(absl::Milliseconds(1), future.Get());
    EXPECT_THAT(early, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_FALSE(future.ready());
    auto set = [&]() -> Task<absl::Status> {
      promise.Set(std::make_unique<int>(7));
      co_return absl::OkStatus();
    };
    group.Spawn(set());
    std::unique_ptr<int> value = co_await Try(future.Get());
    EXPECT_THAT(value, Pointee(7));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(SharedFutureThreadsTest, AThreadSetsItOrDropsIt) {
  for (bool sets : {true, false}) {
    SharedPromise<int> promise;
    SharedFuture<int> future = promise.GetFuture();
    std::thread thread([sets, promise = std::move(promise)]() mutable {
      if (sets) promise.Set(7);
      SharedPromise<int> dropped = std::move(promise);
    });
    auto body = [&]() -> Task<absl::StatusOr<int>> { co_return co_await future.Get(); };
    absl::StatusOr<int> result = Run(body());
    thread.join();
    if (sets) {
      EXPECT_THAT(result, IsOkAndHolds(7));
    } else {
      EXPECT_THAT(result, StatusIs(absl::StatusCode::kAborted, HasSubstr("dropped without a value")));
    }
  }
}

TEST_P(SharedFutureThreadsTest, ACoroutineSetsItForAThread) {
  SharedPromise<void> promise;
  SharedFuture<void> future = promise.GetFuture();
  EXPECT_THAT(future.GetBlocking(absl::Milliseconds(1)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  absl::Status status;
  std::thread thread([&] { status = future.GetBlocking(); });
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(Sleep(absl::Milliseconds(1)));
    promise.Set(absl::NotFoundError("nowhere"));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  thread.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
}

INSTANTIATE_ON_EVERY_BACKEND(SharedFutureTest);
INSTANTIATE_ON_REAL_BACKENDS(SharedFutureThreadsTest);

TEST_P(SharedFutureThreadsTest, TheValueArrivesWhateverIsCancelledMeanwhile) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    std::unique_ptr<Bench> bench = std::make_unique<Bench>(GetParam());
    SharedPromise<std::unique_ptr<int>> promise;
    SharedFuture<std::unique_ptr<int>> future = promise.GetFuture();
    std::thread thread([&] { promise.Set(std::make_unique<int>(7)); });
    auto body = [&]() -> Task<absl::Status> {
      const MonotonicTime give_up = bench->scheduler().Now() + absl::Seconds(20);
      while (bench->scheduler().Now() < give_up) {
        absl::Duration deadline = absl::Microseconds(random() % 5);
        absl::StatusOr<std::unique_ptr<int>> value = co_await WithTimeout(deadline, future.Get());
        if (value.ok()) co_return **value == 7 ? absl::OkStatus() : absl::DataLossError("another value");
      }
      co_return absl::DataLossError("the value was lost");
    };
    EXPECT_THAT(bench->Run(body()), IsOk()) << "seed " << seed;
    bench.reset();  // Whoever woke it is done with it.
    thread.join();
  }
}

// In every order: a message may be on its way while anything else happens.
TEST(SharedFutureOrdersTest, TheValueIsReceivedOnceOrStillThere) {
  enum { kAwait, kStop, kSet, kDropPromise };
  SimulatedWorld world;
  auto turn = [&] { world.scheduler().Turn(MonotonicTime::Past()); };
  for (const EventOrder& order : EventOrders(4)) {
    std::shared_ptr<int> value = std::make_shared<int>(7);
    std::optional<SharedPromise<std::shared_ptr<int>>> promise(std::in_place);
    SharedFuture<std::shared_ptr<int>> future = promise->GetFuture();
    Stoppable receiver;
    bool set = false;
    int received = 0, aborted = 0;
    auto note = [&](const absl::StatusOr<std::shared_ptr<int>>& result) {
      received += result.ok();
      aborted += absl::IsAborted(result.status());
    };
    auto await = [&]() -> Task<absl::Status> {
      note(co_await receiver.Await(future.Get()));
      co_return absl::OkStatus();
    };
    for (int i = 0; i < 4; ++i) {
      int event = order.events[static_cast<size_t>(i)];
      if (event == kAwait) world.scheduler().Spawn(await());
      if (event == kStop) receiver.Stop();
      if (event == kSet && promise.has_value()) {
        promise->Set(value);
        set = true;
      }
      if (event == kDropPromise) promise.reset();
      if (order.PauseAfter(i)) turn();
    }
    while (!world.scheduler().idle()) turn();
    if (future.ready()) note(future.GetBlocking());
    EXPECT_EQ(received, set ? 1 : 0);
    EXPECT_EQ(aborted, set ? 0 : 1);
    EXPECT_EQ(value.use_count(), 1);
    ASSERT_FALSE(HasFailure()) << order.Describe();
  }
}

TEST(SharedPromiseTest, OnceItWasMovedNobodyWantsAnythingOfIt) {
  SharedPromise<int> promise;
  SharedPromise<int> moved = std::move(promise);
  EXPECT_FALSE(promise.wanted());
  EXPECT_TRUE(moved.wanted());
}

TEST(SharedFutureDeathTest, MisuseEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        SharedPromise<int> promise;
        promise.Set(1);
        promise.Set(2);
      },
      "A SharedPromise was set twice");
  EXPECT_DEATH(SharedFuture<int>().GetBlocking().status().IgnoreError(), "An empty SharedFuture was awaited");
}

}  // namespace
}  // namespace proactor
