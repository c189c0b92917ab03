// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/operation_base.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/descriptor.h"
#include "proactor/errors.h"
#include "proactor/operation/operation.h"
#include "proactor/pause.h"
#include "proactor/proactor.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"

namespace proactor {
namespace {

// Writes down what it is asked for, and completes nothing: the test does.
class RecordingProactor final : public Proactor {
 public:
  void Submit(OperationBase& operation) override {
    submitted.push_back(&operation);
    if (!at_once.empty()) {
      operation.CompleteAtOnce(at_once.front());
      at_once.erase(at_once.begin());
    }
    if (gives_up) operation.Complete(-ECANCELED);
  }
  void Cancel(OperationBase& operation) override { cancelled.push_back(&operation); }
  void Wait(MonotonicTime) override {}
  void Wake() override {}
  MonotonicTime Now() const override { return {}; }
  absl::Time WallTime() const override { return absl::UnixEpoch(); }
  std::string_view name() const override { return "recording"; }
  bool has_kernel() const override { return false; }
  System& system() override { return System::Real(); }

  std::vector<OperationBase*> submitted;
  std::vector<OperationBase*> cancelled;
  std::vector<int> at_once;  // Results for the next operations before their `Submit` returns.
  bool gives_up = false;     // So that a failed test ends.
};

// Transfers a number of bytes, in parts.
struct TransferOp {
  static constexpr char kName[] = "transfer";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = int;

  Descriptor* descriptor;
  int wanted = 10;
  int transferred = 0;

  void Prepare(io_uring_sqe&) const {}
  int Perform(System&) const { return 0; }
  bool Advance(int& result) {
    if (result < 0) return true;
    transferred += result;
    return transferred >= wanted;
  }
  absl::Status ToStatus(absl::Status failure) const {
    return WithBytesTransferred(std::move(failure), static_cast<size_t>(transferred));
  }
  int ToValue(int) const { return transferred; }
};

// Transfers at an offset: takes no slot.
struct TransferAtOp : TransferOp {
  static constexpr Readiness kReadiness = Readiness::kBlocking;
};

class OperationBaseTest : public ::testing::Test {
 protected:
  OperationBaseTest() : proactor_(new RecordingProactor), scheduler_(std::unique_ptr<Proactor>(proactor_)) {}
  ~OperationBaseTest() override {
    proactor_->gives_up = true;
    if (!result_.has_value() && started_ && !proactor_->submitted.empty()) {
      proactor_->submitted.back()->Complete(-ECANCELED);
    }
    scheduler_.Shutdown();
  }

  // Awaits an operation, in a scope of its own, up to where it waits.
  template <class Op>
  void Start(Op op, bool in_cancelled_scope = false) {
    started_ = true;
    scheduler_.Spawn(Body(op, in_cancelled_scope));
    Turn();
  }
  void Turn() { scheduler_.Turn(MonotonicTime::Past()); }
  OperationBase& operation() { return *proactor_->submitted.front(); }

  RecordingProactor* proactor_;
  Scheduler scheduler_;
  OwnedDescriptor descriptor_{System::Real(), -1, DescriptorKind::kOther};
  CancelScope* scope_ = nullptr;
  std::optional<absl::StatusOr<int>> result_;  // Once the coroutine has it.

 private:
  template <class Op>
  Task<absl::Status> Body(Op op, bool in_cancelled_scope) {
    CancelScope scope(co_await CurrentContext());
    scope_ = &scope;
    if (in_cancelled_scope) scope.Cancel();
    result_ = co_await internal::InScope(scope, MakeOperation(op));
    scope_ = nullptr;
    co_return absl::OkStatus();
  }

  bool started_ = false;
};

// One that waits while the system is short of something.
struct ShortOp : TransferOp {
  bool Advance(int& result) { return result != -ENOMEM; }
  bool NeedsPause(int result) const { return result == -ENOMEM; }
};

TEST_F(OperationBaseTest, AfterAPauseItIsSubmittedAgain) {
  Start(ShortOp{{descriptor_.get()}});
  operation().Complete(-ENOMEM);
  Turn();
  EXPECT_EQ(proactor_->submitted.size(), 1u);
  EXPECT_NE(operation().Describe().find("until there is what it needs"), std::string::npos);
  DescriptorClosed();
  DescriptorClosed();
  EXPECT_EQ(proactor_->submitted.size(), 1u) << "it has to be its turn";
  Turn();
  ASSERT_EQ(proactor_->submitted.size(), 2u);
  operation().Complete(10);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(OperationBaseTest, RefusedAtOnceItPausesToo) {
  proactor_->at_once = {-ENOMEM, -EINTR, 10};
  Start(ShortOp{{descriptor_.get()}});
  EXPECT_EQ(proactor_->submitted.size(), 1u);
  EXPECT_FALSE(result_.has_value());
  DescriptorClosed();
  Turn();
  EXPECT_EQ(proactor_->submitted.size(), 3u);
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOk());
}

TEST_F(OperationBaseTest, WithSomethingClosedSinceItAskedItAsksAgainWithoutAPause) {
  Start(ShortOp{{descriptor_.get()}});
  DescriptorClosed();
  operation().Complete(-ENOMEM);
  Turn();
  EXPECT_EQ(proactor_->submitted.size(), 2u);
  EXPECT_EQ(scheduler_.counters().accepts_parked.value(), 0);
  operation().Complete(10);
  Turn();
}

TEST_F(OperationBaseTest, CancelledInAPauseItEndsWithoutTheProactor) {
  Start(ShortOp{{descriptor_.get()}});
  operation().Complete(-ENOMEM);
  Turn();
  scope_->Cancel();
  scope_->Cancel();
  DescriptorClosed();
  Turn();
  EXPECT_TRUE(proactor_->cancelled.empty());
  EXPECT_EQ(proactor_->submitted.size(), 1u);
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(result_->status(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(descriptor_->reading, nullptr);
}

TEST_F(OperationBaseTest, CancelledBeforeThePauseItDoesNotBeginOne) {
  Start(ShortOp{{descriptor_.get()}});
  scope_->Cancel();
  operation().Complete(-ENOMEM);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(result_->status(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(OperationBaseTest, IsSubmittedOnceAndNotCompletedBeforeItsResult) {
  Start(TransferOp{descriptor_.get()});
  ASSERT_EQ(proactor_->submitted.size(), 1u);
  Turn();
  EXPECT_FALSE(result_.has_value());
  EXPECT_EQ(operation().descriptor(), descriptor_.get());
  EXPECT_EQ(operation().readiness(), Readiness::kRead);
  operation().Complete(10);
  EXPECT_FALSE(result_.has_value()) << "invariant 5: completing only makes the coroutine ready";
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
  EXPECT_EQ(proactor_->submitted.size(), 1u);
  EXPECT_EQ(scheduler_.counters().operations.value(), 1);
  EXPECT_EQ(scheduler_.counters().completions.value(), 1);
}

// Invariant 2: only its own completion ends it, not the request to cancel.
TEST_F(OperationBaseTest, ARequestToCancelDoesNotEndIt) {
  Start(TransferOp{descriptor_.get()});
  EXPECT_FALSE(operation().cancel_requested());
  scope_->Cancel();
  EXPECT_TRUE(operation().cancel_requested());
  for (int i = 0; i < 10; ++i) Turn();
  EXPECT_FALSE(result_.has_value());
  EXPECT_EQ(descriptor_->reading, &operation());
  operation().Complete(-ECANCELED);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled, "transfer: Operation canceled"));
}

// Invariant 3: completion beats cancellation.
TEST_F(OperationBaseTest, ASuccessAfterARequestToCancelIsDelivered) {
  Start(TransferOp{descriptor_.get()});
  scope_->Cancel();
  operation().Complete(10);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
}

TEST_F(OperationBaseTest, AFailureAfterARequestToCancelIsDeliveredAsItIs) {
  Start(TransferOp{descriptor_.get()});
  scope_->Cancel();
  operation().Complete(-ECONNRESET);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(ErrnoOf(result_->status()), ECONNRESET);
}

// It is ready, and nothing can cancel a finished operation: the proactor must not hear of it any more.
TEST_F(OperationBaseTest, ARequestToCancelAfterTheResultIsForNobody) {
  Start(TransferOp{descriptor_.get()});
  operation().Complete(10);
  scope_->Cancel();
  EXPECT_TRUE(proactor_->cancelled.empty());
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
}

TEST_F(OperationBaseTest, HoweverOftenItIsCancelledTheProactorIsAskedOnce) {
  Start(TransferOp{descriptor_.get()});
  scope_->Cancel();
  scope_->Cancel();
  scheduler_.Cancel();
  operation().Cancel();
  EXPECT_EQ(proactor_->cancelled, std::vector<OperationBase*>{&operation()});
  operation().Complete(10);
  operation().Cancel();
  EXPECT_EQ(proactor_->cancelled.size(), 1u);
  Turn();
  EXPECT_TRUE(result_.has_value());
}

TEST_F(OperationBaseTest, APartGoesBackForTheRest) {
  Start(TransferOp{descriptor_.get()});
  operation().Complete(4);
  Turn();
  EXPECT_FALSE(result_.has_value());
  EXPECT_EQ(proactor_->submitted.size(), 2u);
  EXPECT_EQ(descriptor_->reading, &operation()) << "the slot is given back in between";
  operation().Complete(6);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
  EXPECT_EQ(scheduler_.counters().resubmissions.value(), 1);
  EXPECT_EQ(scheduler_.counters().completions.value(), 1);
}

TEST_F(OperationBaseTest, AnInterruptionGoesBackWhateverTheOperationThinksOfIt) {
  Start(TransferOp{descriptor_.get()});
  operation().Complete(-EINTR);
  Turn();
  operation().Complete(-EINTR);
  Turn();
  operation().Complete(10);
  EXPECT_FALSE(result_.has_value());
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
}

// Otherwise a cancelled operation that always finds a part to do would go on to its end, which may be far.
TEST_F(OperationBaseTest, APartAfterARequestToCancelEndsItWithWhatItHad) {
  Start(TransferOp{descriptor_.get()});
  operation().Complete(3);
  Turn();
  scope_->Cancel();
  operation().Complete(4);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(descriptor_->reading, nullptr);
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(BytesTransferred(result_->status()), 7u);
}

// Nobody asks the proactor to cancel it, because it is not in flight: its scope is looked at before it goes back.
TEST_F(OperationBaseTest, APartThatIsReadyWhenItsScopeIsCancelledEndsItToo) {
  Start(TransferOp{descriptor_.get()});
  operation().Complete(3);
  scope_->Cancel();
  EXPECT_TRUE(proactor_->cancelled.empty());
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(proactor_->submitted.size(), 1u);
  EXPECT_EQ(descriptor_->reading, nullptr);
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(BytesTransferred(result_->status()), 3u);
}

TEST_F(OperationBaseTest, AnInterruptionAfterARequestToCancelEndsIt) {
  Start(TransferOp{descriptor_.get()});
  scope_->Cancel();
  operation().Complete(-EINTR);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(descriptor_->reading, nullptr);
}

TEST_F(OperationBaseTest, InACancelledScopeItIsNeverSubmitted) {
  Start(TransferOp{descriptor_.get()}, true);
  EXPECT_TRUE(proactor_->submitted.empty());
  EXPECT_TRUE(proactor_->cancelled.empty());
  EXPECT_EQ(descriptor_->reading, nullptr);
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(BytesTransferred(result_->status()), 0u);
  EXPECT_EQ(scheduler_.counters().operations.value(), 0);
}

TEST_F(OperationBaseTest, HasTheSlotUntilItsCoroutineGoesOn) {
  EXPECT_EQ(descriptor_->reading, nullptr);
  Start(TransferOp{descriptor_.get()});
  EXPECT_EQ(descriptor_->reading, &operation());
  EXPECT_EQ(descriptor_->writing, nullptr);
  operation().Complete(10);
  EXPECT_EQ(descriptor_->reading, &operation());
  Turn();
  EXPECT_EQ(descriptor_->reading, nullptr);
}

TEST_F(OperationBaseTest, AtAnOffsetItTakesNoSlot) {
  Start(TransferAtOp{{descriptor_.get()}});
  EXPECT_EQ(descriptor_->reading, nullptr);
  EXPECT_EQ(descriptor_->writing, nullptr);
  operation().Complete(10);
  Turn();
  EXPECT_TRUE(result_.has_value());
}

// Invariant 5: at most so many completions without suspension in a row; the next goes through the queue.
TEST_F(OperationBaseTest, CompletesWithoutSuspendingSixteenTimesPerResume) {
  int completed = 0;
  auto body = [&]() -> Task<absl::Status> {
    CancelScope scope(co_await CurrentContext());
    scope.Cancel();
    for (; completed < 100; ++completed) {
      absl::StatusOr<int> result = co_await internal::InScope(scope, MakeOperation(TransferOp{descriptor_.get()}));
      EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled));
    }
    co_return absl::OkStatus();
  };
  scheduler_.Spawn(body());
  Turn();
  EXPECT_EQ(completed, 100);
  // One resume starts it, and each seventeenth completion is another.
  EXPECT_EQ(scheduler_.counters().resumes.value(), 1 + 100 / (ReadyQueue::kInlineCompletions + 1));
}

TEST_F(OperationBaseTest, AResultAtOnceDoesNotSuspend) {
  proactor_->at_once = {10};
  Start(TransferOp{descriptor_.get()});
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
  EXPECT_EQ(descriptor_->reading, nullptr);
  EXPECT_EQ(scheduler_.counters().operations.value(), 1);
  EXPECT_EQ(scheduler_.counters().completions.value(), 1);
}

TEST_F(OperationBaseTest, APartAtOnceGoesBackForTheRestUntilItHasToWait) {
  proactor_->at_once = {3, -EINTR, 4};
  Start(TransferOp{descriptor_.get()});
  EXPECT_FALSE(result_.has_value());
  ASSERT_EQ(proactor_->submitted.size(), 4u);
  EXPECT_EQ(descriptor_->reading, &operation());
  operation().Complete(3);
  Turn();
  ASSERT_TRUE(result_.has_value());
  EXPECT_THAT(*result_, IsOkAndHolds(10));
}

TEST_F(OperationBaseTest, ResultsAtOnceGoThroughTheQueueAfterSixteenInARow) {
  proactor_->at_once = std::vector<int>(100, 10);
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 100; ++i) {
      absl::StatusOr<int> result = co_await MakeOperation(TransferOp{descriptor_.get()});
      EXPECT_THAT(result, IsOkAndHolds(10));
    }
    co_return absl::OkStatus();
  };
  scheduler_.Spawn(body());
  Turn();
  EXPECT_TRUE(scheduler_.idle());
  EXPECT_EQ(scheduler_.counters().resumes.value(), 1 + 100 / (ReadyQueue::kInlineCompletions + 1));
}

using OperationBaseDeathTest = OperationBaseTest;

TEST_F(OperationBaseDeathTest, ASecondInTheSameSlotEndsTheProcessAndNamesBoth) {
  Start(TransferOp{descriptor_.get()});
  EXPECT_DEATH(Start(TransferOp{descriptor_.get()}),
               "operation_base_test.cc.*started a transfer on descriptor -1 while .*operation_base_test.cc.* has a "
               "transfer on descriptor -1 in flight: one reader and one writer at a time");
}

// Invariant 1.
TEST_F(OperationBaseDeathTest, DestroyedInFlightEndsTheProcessAndNamesTheCoroutine) {
  EXPECT_DEATH(
      {
        PromiseBase* promise = nullptr;
        Context context;
        auto body = [&]() -> Task<absl::StatusOr<int>> {
          co_return co_await MakeOperation(TransferOp{descriptor_.get()});
        };
        Task<absl::StatusOr<int>> task = body();
        promise = &std::move(task).Release();
        // As a library that starts the coroutine without owning up to it would.
        auto start = [&]() -> Task<absl::Status> {
          context = co_await CurrentContext();
          promise->SetContext(context);
          promise->handle().resume();
          co_return absl::OkStatus();
        };
        scheduler_.Spawn(start());
        Turn();
        promise->handle().destroy();
      },
      "The coroutine .*operation_base_test.cc.* was destroyed while an operation that it awaits was in flight");
}

}  // namespace
}  // namespace proactor
