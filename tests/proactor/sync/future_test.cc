// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/future.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/sync/event.h"
#include "proactor/sync/select.h"
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

// Can only be moved, and only be made of something.
struct Parcel {
  explicit Parcel(int number) : number(std::make_unique<int>(number)) {}
  std::unique_ptr<int> number;
};

class FutureTest : public BackendTest {};

TEST_P(FutureTest, GivesWhatWasSetBeforeItIsAwaited) {
  auto body = [&]() -> Task<absl::Status> {
    Promise<Parcel> promise;
    promise.Set(Parcel(7));
    Future<Parcel> future = promise.GetFuture();
    EXPECT_TRUE(future.ready());
    Parcel parcel = co_await Try(future.Get());
    EXPECT_THAT(parcel.number, Pointee(7));
    EXPECT_FALSE(future.ready());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FutureTest, WaitsForWhatIsSetLater) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Promise<Parcel> promise;
    Promise<void> done;
    Future<Parcel> future = promise.GetFuture();
    Future<void> finished = done.GetFuture();
    auto receiver = [&]() -> Task<absl::Status> {
      Parcel parcel = co_await Try(future.Get());
      EXPECT_THAT(parcel.number, Pointee(7));
      done.Set();
      co_return absl::OkStatus();
    };
    group.Spawn(receiver());
    co_await Try(LetOthersRun());
    EXPECT_FALSE(future.ready());
    promise.Set(Parcel(7));
    co_return co_await finished.Get();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(FutureTest, AFailureIsAResultToo) {
  auto body = [&]() -> Task<absl::Status> {
    Promise<int> promise;
    Future<int> future = promise.GetFuture();
    promise.Set(absl::NotFoundError("nowhere"));
    absl::StatusOr<int> result = co_await future.Get();
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FutureTest, ADroppedPromiseFailsItsFuture) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    std::optional<Promise<int>> promise(std::in_place);
    Future<int> future = promise->GetFuture();
    auto drop = [&]() -> Task<absl::Status> {
      promise.reset();
      co_return absl::OkStatus();
    };
    group.Spawn(drop());
    absl::StatusOr<int> result = co_await future.Get();
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kAborted, HasSubstr("dropped without a value")));
    // Also by a new one in its place.
    Promise<int> other;
    future = other.GetFuture();
    other = Promise<int>();
    result = co_await future.Get();
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kAborted));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(FutureTest, ADeadlineDoesNotLoseTheValue) {
  auto body = [&]() -> Task<absl::Status> {
    Promise<int> promise;
    Future<int> future = promise.GetFuture();
    absl::StatusOr<int> early = co_await WithTimeout(absl::Milliseconds(1), future.Get());
    EXPECT_THAT(early, StatusIs(absl::StatusCode::kDeadlineExceeded));
    promise.Set(7);
    absl::StatusOr<int> late = co_await future.Get();
    EXPECT_THAT(late, IsOkAndHolds(7));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FutureTest, ThePromiseSeesWhetherItIsStillWanted) {
  std::shared_ptr<int> counted = std::make_shared<int>(0);
  Promise<std::shared_ptr<int>> promise;
  EXPECT_FALSE(promise.wanted());
  {
    Future<std::shared_ptr<int>> future = promise.GetFuture();
    Future<std::shared_ptr<int>> moved = std::move(future);
    EXPECT_TRUE(promise.wanted());
  }
  EXPECT_FALSE(promise.wanted());
  promise.Set(counted);
  EXPECT_EQ(counted.use_count(), 1) << "nobody will take it";
}

TEST_P(FutureTest, CanBeSelected) {
  auto body = [&]() -> Task<absl::Status> {
    Promise<int> promise;
    Future<int> future = promise.GetFuture();
    Event stop;
    stop.Set();
    auto stopped = co_await Try(Select(future.Get(), stop.Wait()));
    EXPECT_EQ(stopped.index(), 1u);
    stop.Reset();
    promise.Set(7);
    auto set = co_await Try(Select(future.Get(), stop.Wait()));
    EXPECT_EQ(std::get<0>(set), 7);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(FutureTest);

// In every order, with and without steps of the loop in between: the value is set, or the promise dropped; awaited,
// cancelled, awaited again, or the future dropped.
enum FutureEvent { kAwait, kStop, kSet, kDropPromise, kDropFuture };

struct Agreement {
  Task<absl::Status> Await() {
    if (!future.has_value()) co_return absl::OkStatus();
    absl::StatusOr<std::shared_ptr<int>> result = co_await receiver.Await(future->Get());
    if (result.ok()) received = *result != nullptr;
    if (!result.ok() && !absl::IsCancelled(result.status())) aborted = true;
    co_return absl::OkStatus();
  }
  void Do(FutureEvent event, TaskGroup& group) {
    switch (event) {
      case kAwait:
        return group.Spawn(Await());
      case kStop:
        return receiver.Stop();
      case kSet:
        if (!promise.has_value()) return;
        set = true;
        return promise->Set(value);
      case kDropPromise:
        return promise.reset();
      case kDropFuture:
        return future.reset();
    }
  }

  std::shared_ptr<int> value = std::make_shared<int>(7);
  std::optional<Promise<std::shared_ptr<int>>> promise{std::in_place};
  std::optional<Future<std::shared_ptr<int>>> future{promise->GetFuture()};
  Stoppable receiver;
  bool set = false, received = false, aborted = false;
};

TEST(FutureOrdersTest, TheValueIsReceivedOnceOrStillThere) {
  SimulatedWorld world;
  for (const EventOrder& order : EventOrders(5)) {
    Agreement agreement;
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int i = 0; i < 5; ++i) {
        agreement.Do(static_cast<FutureEvent>(order.events[static_cast<size_t>(i)]), group);
        if (order.PauseAfter(i)) co_await Try(LetOthersRun());
      }
      co_await Try(Sleep(absl::Microseconds(1)));
      if (agreement.future.has_value() && agreement.future->ready()) {
        absl::StatusOr<std::shared_ptr<int>> left = co_await agreement.future->Get();
        EXPECT_FALSE(agreement.received);
        EXPECT_EQ(left.ok(), agreement.set);
      }
      group.Cancel();
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
    EXPECT_FALSE(agreement.received && !agreement.set);
    EXPECT_FALSE(agreement.aborted && agreement.set);
    EXPECT_EQ(agreement.value.use_count(), 1) << "left behind";
    ASSERT_FALSE(HasFailure()) << order.Describe();
  }
}

using FutureDeathTest = ::testing::Test;

TEST(FutureDeathTest, MisuseEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        Promise<int> promise;
        promise.Set(1);
        promise.Set(2);
      },
      "A Promise was set twice");
  EXPECT_DEATH(
      {
        Promise<int> promise;
        Future<int> one = promise.GetFuture();
        Future<int> two = promise.GetFuture();
      },
      "GetFuture was called twice");
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        auto body = [&]() -> Task<absl::Status> {
          Promise<int> promise;
          Future<int> future = promise.GetFuture();
          promise.Set(1);
          (co_await future.Get()).status().IgnoreError();
          co_return (co_await future.Get()).status();
        };
        world.Run(body()).IgnoreError();
      },
      "A Future was awaited twice");
}

}  // namespace
}  // namespace proactor
