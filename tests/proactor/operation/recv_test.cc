// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv.h"

#include <fcntl.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class RecvTest : public OperationTest {
 protected:
  char buffer_[16];
};

TEST_P(RecvTest, TakesWhatHasArrivedInsteadOfWaitingForMore) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "abc");
  std::string received;
  while (received.size() < 3) {
    absl::StatusOr<size_t> n = Await(RecvOp{.descriptor = connection.server.get(), .buffer = buffer_});
    ASSERT_THAT(n, IsOk());
    ASSERT_GT(*n, 0u);
    received.append(buffer_, *n);
  }
  EXPECT_EQ(received, "abc");
}

TEST_P(RecvTest, WaitsOnANonBlockingSocketToo) {
  Connection connection = MakeConnection(system());
  if (!simulated()) {
    ASSERT_EQ(fcntl(connection.server->number, F_SETFL, O_NONBLOCK), 0);
  }
  EXPECT_THAT(AwaitWhile(RecvOp{.descriptor = connection.server.get(), .buffer = buffer_},
                         [&] { WriteNow(connection.client, "x"); }),
              IsOkAndHolds(1u));
}

TEST_P(RecvTest, AnEmptyBufferIsRefusedWithoutAskingAnyone) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "x");
  int64_t before = counters().operations.value();
  EXPECT_THAT(Await(RecvOp{.descriptor = connection.server.get(), .buffer = {}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "recv: Invalid argument"));
  EXPECT_EQ(counters().operations.value(), before);
  EXPECT_THAT(Await(RecvOp{.descriptor = connection.server.get(), .buffer = buffer_}), IsOkAndHolds(1u));
}

TEST_P(RecvTest, WithoutAConnectionIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(RecvOp{.descriptor = socket.get(), .buffer = buffer_}).status()), ENOTCONN);
}

TEST_P(RecvTest, WhatIsNoSocketIsAnError) {
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(RecvOp{.descriptor = pipe.reader.get(), .buffer = buffer_}).status()), ENOTSOCK);
}

TEST_P(RecvTest, TheEndComesAfterTheBytesAndStays) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "x");
  connection.client = OwnedDescriptor();
  RecvOp op = {.descriptor = connection.server.get(), .buffer = buffer_};
  EXPECT_THAT(Await(op), IsOkAndHolds(1u));
  EXPECT_THAT(Await(op), IsOkAndHolds(0u));
  EXPECT_THAT(Await(op), IsOkAndHolds(0u));
}

TEST_P(RecvTest, ShuttingTheSocketDownEndsAWait) {
  Connection connection = MakeConnection(system());
  EXPECT_THAT(AwaitWhile(RecvOp{.descriptor = connection.server.get(), .buffer = buffer_},
                         [&] { EXPECT_EQ(system().Shutdown(connection.server->number, SHUT_RD), 0); }),
              IsOkAndHolds(0u));
}

TEST_P(RecvTest, ACancelledScopeTakesNoBytes) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "x");
  RecvOp op = {.descriptor = connection.server.get(), .buffer = buffer_};
  EXPECT_THAT(AwaitInCancelledScope(op), StatusIs(absl::StatusCode::kCancelled, "recv: Operation canceled"));
  EXPECT_THAT(Await(op), IsOkAndHolds(1u));
}

// Invariant 12.
TEST(RecvOpTest, InterruptionsDoNotReachTheUser) {
  SimulatedWorld world({.interruptions = false});
  Connection connection = MakeConnection(world.system());
  WriteNow(connection.client, "x");
  world.system().FailNext(SimulatedCall::kReceive, EINTR, 5);
  char buffer[1];
  auto body = [&]() -> Task<absl::StatusOr<size_t>> {
    co_return co_await MakeOperation(RecvOp{.descriptor = connection.server.get(), .buffer = buffer});
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(1u));
  EXPECT_EQ(world.scheduler().counters().resubmissions.value(), 5);
}

INSTANTIATE_ON_EVERY_BACKEND(RecvTest);

}  // namespace
}  // namespace proactor
