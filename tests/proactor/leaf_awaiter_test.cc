// SPDX-License-Identifier: Apache-2.0
#include "proactor/leaf_awaiter.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"
#include "proactor/task.h"
#include "proactor/task_record.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

// Has its outcome after some turns; at once after none.
class Countdown : public Suspension {
 public:
  Countdown(PromiseBase& promise, const Context& context, int turns, absl::Status outcome)
      : promise_(promise), context_(context), turns_(turns), outcome_(std::move(outcome)) {}

  bool Start() {
    if (turns_ > 0) Push();
    return turns_ > 0;
  }
  bool Waiting() const { return waiting_; }
  bool StopWaiting() {
    if (--turns_ > 0) {
      Push();
    } else {
      waiting_ = false;
    }
    return !waiting_;
  }
  bool Failed() const { return !outcome_.ok(); }
  absl::StatusOr<std::unique_ptr<int>> TakeResult() {
    if (Failed()) return std::move(outcome_);
    return TakeValue();
  }
  absl::Status TakeFailure() { return std::move(outcome_); }
  std::unique_ptr<int> TakeValue() { return std::make_unique<int>(7); }

  void Cancel() final {}
  const CancelScope* scope() const final { return nullptr; }
  std::string Describe() const final { return "a countdown"; }

 protected:
  PromiseBase& promise_;

 private:
  void Push() {
    waiting_ = true;
    context_.loop->ready_queue.Push(*this);
  }

  const Context& context_;
  int turns_;
  bool waiting_ = false;
  absl::Status outcome_;
};

class CountdownAwaitable {
 public:
  CountdownAwaitable(int turns, absl::Status outcome) : turns_(turns), outcome_(std::move(outcome)) {}
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<Countdown, kTry>(promise, context, turns_, std::move(outcome_));
  }

 private:
  int turns_;
  absl::Status outcome_;
};

Task<absl::StatusOr<int>> Await(int turns, absl::Status outcome) {
  absl::StatusOr<std::unique_ptr<int>> result = co_await CountdownAwaitable(turns, std::move(outcome));
  if (!result.ok()) co_return result.status();
  co_return **result;
}

Task<absl::StatusOr<int>> AwaitByTry(int turns, absl::Status outcome) {
  std::unique_ptr<int> value = co_await Try(CountdownAwaitable(turns, std::move(outcome)));
  co_return *value;
}

TEST(LeafAwaiterTest, YieldsTheOutcomeAtOnceOrAfterWaiting) {
  for (int turns : {0, 1, 2, 5}) {
    SimulatedWorld world;
    EXPECT_THAT(world.Run(Await(turns, absl::OkStatus())), IsOkAndHolds(7)) << turns;
    EXPECT_THAT(world.Run(Await(turns, absl::DataLossError("x"))), StatusIs(absl::StatusCode::kDataLoss, "x"));
    EXPECT_THAT(world.Run(AwaitByTry(turns, absl::OkStatus())), IsOkAndHolds(7)) << turns;
    EXPECT_THAT(world.Run(AwaitByTry(turns, absl::DataLossError("x"))), StatusIs(absl::StatusCode::kDataLoss, "x"));
  }
}

TEST(LeafAwaiterTest, TheCoroutineIsKnownToWaitUntilItIsResumed) {
  SimulatedWorld world;
  auto body = [&](int turns) -> Task<absl::Status> {
    absl::StatusOr<std::unique_ptr<int>> result = co_await CountdownAwaitable(turns, absl::OkStatus());
    const Context& context = co_await CurrentContext();
    EXPECT_EQ(context.task->waiting(), nullptr);
    co_return result.status();
  };
  world.scheduler().Spawn(body(1000), "waits");
  world.scheduler().Turn(MonotonicTime::Past());
  EXPECT_THAT(world.scheduler().Dump(), HasSubstr("waits for a countdown"));
  while (!world.scheduler().idle()) world.scheduler().Turn(MonotonicTime::Past());
}

}  // namespace
}  // namespace proactor
