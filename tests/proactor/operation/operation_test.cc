// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/operation.h"

#include <liburing.h>

#include <cerrno>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/operation/recv.h"
#include "proactor/testing/status_matchers.h"
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
  AwaitDelivery(system(), connection_.client->number);
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

// Made by factories only, so that what is awaited is always a temporary of a call: `MakeOperation` is the one.
static_assert(!std::is_constructible_v<Operation<user::NoOp>, user::NoOp>);
static_assert(internal::Awaitable<Operation<user::NoOp>>);

}  // namespace
}  // namespace proactor
