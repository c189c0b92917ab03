// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/operation.h"

#include <liburing.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/operation/recv.h"
#include "proactor/task_record.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/yield.h"
#include "tests/proactor/operation/operands.h"

// What a user of the library writes, in a namespace and a file of their own: an operation that the library does not
// have, with all optional parts. It fills a buffer, however many parts the bytes come in.
namespace user {

struct ReceiveExactlyOp {
  static constexpr char kName[] = "receive exactly";
  static constexpr proactor::Readiness kReadiness = proactor::Readiness::kRead;
  using Value = std::string_view;

  proactor::Descriptor* descriptor;
  std::span<char> buffer;
  size_t received = 0;

  std::optional<int> Immediate() const { return buffer.empty() ? std::optional(0) : std::nullopt; }
  void Prepare(io_uring_sqe& entry) const {
    std::span<char> rest = buffer.subspan(received);
    io_uring_prep_recv(&entry, descriptor->number, rest.data(), rest.size(), MSG_WAITALL);
  }
  int Perform(proactor::System& system) const {
    std::span<char> rest = buffer.subspan(received);
    return system.Receive(descriptor->number, rest.data(), rest.size());
  }
  bool Advance(int& result) {
    if (result == 0) result = -ENODATA;
    if (result < 0) return true;
    received += static_cast<size_t>(result);
    return received == buffer.size();
  }
  absl::Status ToStatus(absl::Status failure) const {
    return proactor::WithBytesTransferred(std::move(failure), received);
  }
  std::string_view ToValue(int) const { return {buffer.data(), received}; }
};

proactor::Operation<ReceiveExactlyOp> ReceiveExactly(proactor::Descriptor* socket, std::span<char> buffer) {
  return proactor::MakeOperation(ReceiveExactlyOp{.descriptor = socket, .buffer = buffer});
}

// With the required parts only, and no descriptor.
struct NoOp {
  static constexpr char kName[] = "nop";
  static constexpr proactor::Readiness kReadiness = proactor::Readiness::kBlocking;
  using Value = void;

  void Prepare(io_uring_sqe& entry) const { io_uring_prep_nop(&entry); }
  int Perform(proactor::System&) const { return 0; }
  void ToValue(int) const {}
};

}  // namespace user

namespace proactor {
namespace {

class UserOperationTest : public OperationTest {
 protected:
  Connection connection_ = MakeConnection(system());
  char buffer_[8];
};

TEST_P(UserOperationTest, WorksLikeTheLibrarysOwn) {
  auto body = [&]() -> Task<absl::Status> {
    WriteNow(connection_.client, "12345678rest");
    std::string_view text = co_await Try(user::ReceiveExactly(connection_.server.get(), buffer_));
    EXPECT_EQ(text, "12345678");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(UserOperationTest, WaitsForEachOfItsParts) {
  auto write = [&]() -> Task<absl::Status> {
    for (char c : {'1', '2', '3', '4', '5', '6', '7', '8'}) {
      co_await Try(Sleep(absl::Milliseconds(1)));
      WriteNow(connection_.client, {&c, 1});
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(write());
    std::string_view text = co_await Try(user::ReceiveExactly(connection_.server.get(), buffer_));
    EXPECT_EQ(text, "12345678");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(UserOperationTest, ItsFailureSaysWhatItWantsToSay) {
  WriteNow(connection_.client, "123");
  connection_.client = OwnedDescriptor();
  absl::StatusOr<std::string_view> text =
      Await(user::ReceiveExactlyOp{.descriptor = connection_.server.get(), .buffer = buffer_});
  EXPECT_EQ(ErrnoOf(text.status()), ENODATA) << text.status();
  EXPECT_EQ(std::string(text.status().message()), "receive exactly: No data available");
  EXPECT_EQ(BytesTransferred(text.status()), 3u);
}

// Invariant 3: the bytes that it had taken are in the buffer, and it says so.
TEST_P(UserOperationTest, CancelledInTheMiddleSaysHowFarItGot) {
  WriteNow(connection_.client, "123");
  absl::StatusOr<std::string_view> text = AwaitWithTimeout(
      absl::Milliseconds(20), user::ReceiveExactlyOp{.descriptor = connection_.server.get(), .buffer = buffer_});
  ASSERT_THAT(text, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(BytesTransferred(text.status()), 3u);
  EXPECT_EQ(std::string(buffer_, 3), "123");
}

TEST_P(UserOperationTest, WhatItKnowsAtOnceIsNotAskedFor) {
  int64_t before = counters().operations.value();
  EXPECT_THAT(Await(user::ReceiveExactlyOp{.descriptor = connection_.server.get(), .buffer = {}}),
              IsOkAndHolds(std::string_view()));
  EXPECT_EQ(counters().operations.value(), before);
}

TEST_P(UserOperationTest, NeedsNoDescriptorAndNoOptionalParts) {
  EXPECT_THAT(Await(user::NoOp{}), IsOk());
  EXPECT_THAT(AwaitInCancelledScope(user::NoOp{}), StatusIs(absl::StatusCode::kCancelled, "nop: Operation canceled"));
}

INSTANTIATE_ON_EVERY_BACKEND(UserOperationTest);

class OperationStructTest : public OperationTest {};

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

TEST_P(OperationStructTest, ItsValueMayBeNothingAPlainValueOrMoveOnly) {
  static_assert(std::is_same_v<Operation<ConstantOp<void>>::Result, absl::Status>);
  static_assert(std::is_same_v<Operation<ConstantOp<int>>::Result, absl::StatusOr<int>>);
  EXPECT_THAT(Await(ConstantOp<void>{7}), IsOk());
  EXPECT_THAT(Await(ConstantOp<int>{7}), IsOkAndHolds(7));
  absl::StatusOr<std::unique_ptr<int>> owned = Await(ConstantOp<std::unique_ptr<int>>{7});
  ASSERT_THAT(owned, IsOk());
  EXPECT_EQ(**owned, 7);
}

TEST_P(OperationStructTest, AnImmediateResultWinsOverACancelledScope) {
  EXPECT_THAT(AwaitInCancelledScope(ConstantOp<int>{7}), IsOkAndHolds(7));
  EXPECT_EQ(ErrnoOf(Await(ConstantOp<int>{-EINVAL}).status()), EINVAL);
}

TEST_P(OperationStructTest, UnderTryAFailureLeavesTheCoroutine) {
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
TEST_P(OperationStructTest, OneThatIsInterruptedIsTriedAgain) {
  int interruptions = 3;
  EXPECT_THAT(Await(InterruptedOp{interruptions}), IsOk());
  EXPECT_EQ(interruptions, -1);
}

// Invariant 5: an operation may complete without suspending, but not for ever.
TEST_P(OperationStructTest, CompletingAtOnceDoesNotStarveOthers) {
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

TEST_P(OperationStructTest, ADumpNamesItAndItsDescriptor) {
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

TEST_P(OperationStructTest, BeingInterruptedAtOnceAgainAndAgainDoesNotStarveOthers) {
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

INSTANTIATE_ON_EVERY_BACKEND(OperationStructTest);

// Made by factories only, so that what is awaited is always a temporary of a call: `MakeOperation` is the one.
static_assert(!std::is_constructible_v<Operation<user::NoOp>, user::NoOp>);
static_assert(internal::Awaitable<Operation<user::NoOp>>);

}  // namespace
}  // namespace proactor
