// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/pending_operation.h"

#include <liburing.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/recv.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/yield.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class PendingOperationTest : public OperationTest {};

// An operation with a result of our choice.
template <class Yields>
struct ConstantOp {
  static constexpr char kName[] = "constant";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = Yields;

  int constant;

  std::optional<int> Immediate() const { return constant; }
  void Prepare(io_uring_sqe& entry) const { io_uring_prep_nop(&entry); }
  int Perform(System&) const { return 0; }
  Yields ToValue(int result) const {
    if constexpr (std::is_same_v<Yields, int>) return result;
    if constexpr (std::is_same_v<Yields, std::unique_ptr<int>>) return std::make_unique<int>(result);
  }
};

TEST_P(PendingOperationTest, ItsValueMayBeNothingAPlainValueOrMoveOnly) {
  static_assert(std::is_same_v<Operation<ConstantOp<void>>::Result, absl::Status>);
  static_assert(std::is_same_v<Operation<ConstantOp<int>>::Result, absl::StatusOr<int>>);
  EXPECT_THAT(Await(ConstantOp<void>{7}), IsOk());
  EXPECT_THAT(Await(ConstantOp<int>{7}), IsOkAndHolds(7));
  absl::StatusOr<std::unique_ptr<int>> owned = Await(ConstantOp<std::unique_ptr<int>>{7});
  ASSERT_THAT(owned, IsOk());
  EXPECT_EQ(**owned, 7);
}

TEST_P(PendingOperationTest, AnImmediateResultWinsOverACancelledScope) {
  EXPECT_THAT(AwaitInCancelledScope(ConstantOp<int>{7}), IsOkAndHolds(7));
  EXPECT_EQ(ErrnoOf(Await(ConstantOp<int>{-EINVAL}).status()), EINVAL);
}

TEST_P(PendingOperationTest, UnderTryAFailureLeavesTheCoroutine) {
  bool went_on = false;
  auto body = [&]() -> Task<absl::Status> {
    int value = co_await Try(MakeOperation(ConstantOp<int>{7}));
    EXPECT_EQ(value, 7);
    co_await Try(MakeOperation(ConstantOp<void>{-EIO}));
    went_on = true;
    co_return absl::OkStatus();
  };
  EXPECT_EQ(ErrnoOf(Run(body())), EIO);
  EXPECT_FALSE(went_on);
}

// An operation that is interrupted a few times.
struct InterruptedOp {
  static constexpr char kName[] = "interrupted";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;

  int& interruptions;

  void Prepare(io_uring_sqe& entry) const { io_uring_prep_nop(&entry); }
  int Perform(System&) const { return 0; }
  bool Advance(int& result) {
    if (interruptions-- > 0) result = -EINTR;
    return true;
  }
  void ToValue(int) const {}
};

// Invariant 12: what is nobody's fault never reaches the user.
TEST_P(PendingOperationTest, OneThatIsInterruptedIsTriedAgain) {
  int interruptions = 3;
  EXPECT_THAT(Await(InterruptedOp{interruptions}), IsOk());
  EXPECT_EQ(interruptions, -1);
}

// Invariant 5: an operation may complete without suspending, but not for ever.
TEST_P(PendingOperationTest, CompletingAtOnceDoesNotStarveOthers) {
  bool other_ran = false;
  int completed = 0;
  auto other = [&]() -> Task<absl::Status> {
    other_ran = true;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(other());
    for (; !other_ran && completed < 1000; ++completed) co_await Try(MakeOperation(ConstantOp<void>{0}));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_GE(completed, 1);
  EXPECT_LE(completed, 2 * (ReadyQueue::kInlineCompletions + 1));
}

TEST_P(PendingOperationTest, ADumpNamesItAndItsDescriptor) {
  Connection connection = MakeConnection(system());
  char buffer[1];
  std::string dump;
  AwaitWhile(RecvOp{.descriptor = connection.server.get(), .buffer = buffer}, [&] {
    dump = scheduler().Dump();
    WriteNow(connection.client, "x");
  }).IgnoreError();
  std::string wanted = "waits for recv on descriptor " + std::to_string(connection.server->number) + "\n";
  EXPECT_NE(dump.find(wanted), std::string::npos) << dump;
}

// One that is interrupted until somebody else has run.
struct OftenInterruptedOp {
  static constexpr char kName[] = "often interrupted";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;

  const std::atomic<bool>& over;
  std::atomic<int>& calls;

  void Prepare(io_uring_sqe& entry) const { entry.opcode = kNoOpcode; }
  int Perform(System&) const {
    // The bound is for a test that fails.
    return ++calls < 1'000'000 && !over ? -EINTR : 0;
  }
  void ToValue(int) const {}
};

TEST_P(PendingOperationTest, BeingInterruptedAtOnceAgainAndAgainDoesNotStarveOthers) {
  std::atomic<bool> over = false;
  std::atomic<int> calls = 0;
  auto other = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) co_await Try(Yield());
    over = true;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(other());
    co_await Try(MakeOperation(OftenInterruptedOp{over, calls}));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_LT(calls, 1'000'000);
}

INSTANTIATE_ON_EVERY_BACKEND(PendingOperationTest);

}  // namespace
}  // namespace proactor
