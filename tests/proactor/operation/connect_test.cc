// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/connect.h"

#include <cerrno>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class ConnectTest : public OperationTest {
 protected:
  static ConnectOp Connect(const OwnedDescriptor& socket, const SocketAddress& address) {
    return {.descriptor = socket.get(), .address = address.data(), .size = address.size()};
  }
  void TakeConnection(const Listener& listener) {
    AwaitReadable(listener.descriptor);
    int result;
    while ((result = system().Accept(listener.descriptor->number, nullptr, nullptr)) == -EINTR) {
    }
    ASSERT_GE(result, 0);
    system().Close(result);
  }
};

TEST_P(ConnectTest, NobodyThereIsRefusedAndTheSocketMayTryAgain) {
  SocketAddress nobody = MakeListener(system()).address;
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_THAT(Await(Connect(socket, nobody)), StatusIs(absl::StatusCode::kUnavailable, "connect: Connection refused"));
  Listener listener = MakeListener(system());
  EXPECT_THAT(Await(Connect(socket, listener.address)), IsOk());
}

TEST_P(ConnectTest, ASecondTimeIsAnErrorThatKeepsTheFirst) {
  Listener listener = MakeListener(system());
  OwnedDescriptor socket = MakeSocket(system());
  ASSERT_THAT(Await(Connect(socket, listener.address)), IsOk());
  EXPECT_EQ(ErrnoOf(Await(Connect(socket, listener.address))), EISCONN);
  EXPECT_EQ(system().Send(socket->number, "x", 1), 1);
}

TEST_P(ConnectTest, AnAddressOfAnotherFamilyIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(Connect(socket, SocketAddress::LoopbackIpv6(1)))), EAFNOSUPPORT);
}

TEST_P(ConnectTest, WhatIsNoSocketIsAnError) {
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(Connect(pipe.writer, SocketAddress::Loopback(1)))), ENOTSOCK);
}

// A listener takes one connection more than its backlog; the others wait for room.
TEST_P(ConnectTest, AnAttemptThatWaitsForRoomCanBeCancelled) {
  Listener listener = MakeListener(system(), 0);
  OwnedDescriptor first = MakeClient(system(), listener.address);
  AwaitReadable(listener.descriptor);
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_THAT(AwaitWithTimeout(absl::Milliseconds(20), Connect(socket, listener.address)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_P(ConnectTest, AnAttemptThatWaitsForRoomSucceedsWhenThereIsSome) {
  for (int flags : {0, static_cast<int>(SOCK_NONBLOCK)}) {
    Listener listener = MakeListener(system(), 0);
    OwnedDescriptor first = MakeClient(system(), listener.address);
    AwaitReadable(listener.descriptor);
    OwnedDescriptor socket = MakeSocket(system(), flags);
    EXPECT_THAT(AwaitWhile(Connect(socket, listener.address), [&] { TakeConnection(listener); }), IsOk());
    int sent = -EINTR;
    while (sent == -EINTR) sent = system().Send(socket->number, "x", 1);
    EXPECT_EQ(sent, 1);
  }
}

TEST_P(ConnectTest, AnAttemptThatWaitsForRoomFailsWhenTheListenerIsGone) {
  Listener listener = MakeListener(system(), 0);
  OwnedDescriptor first = MakeClient(system(), listener.address);
  AwaitReadable(listener.descriptor);
  OwnedDescriptor socket = MakeSocket(system());
  absl::Status status = AwaitWhile(Connect(socket, listener.address), [&] { listener.descriptor = OwnedDescriptor(); });
  EXPECT_EQ(ErrnoOf(status), ECONNREFUSED) << status;
}

TEST_P(ConnectTest, ACancelledScopeAsksNobody) {
  Listener listener = MakeListener(system());
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_THAT(AwaitInCancelledScope(Connect(socket, listener.address)), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(Await(Connect(socket, listener.address)), IsOk());
}

// How it is told elsewhere that an attempt is under way.
TEST(ConnectOpTest, AnAttemptUnderWayWaitsForReadiness) {
  SimulatedSystem simulation;
  Listener listener = MakeListener(simulation, 0);
  OwnedDescriptor first = MakeClient(simulation, listener.address);
  OwnedDescriptor socket = MakeSocket(simulation);
  ConnectOp op = {.descriptor = socket.get(), .address = listener.address.data(), .size = listener.address.size()};
  EXPECT_EQ(op.Perform(simulation), -EAGAIN) << "EINPROGRESS";
  EXPECT_EQ(op.Perform(simulation), -EAGAIN) << "EALREADY";
}

INSTANTIATE_ON_EVERY_BACKEND(ConnectTest);

}  // namespace
}  // namespace proactor
