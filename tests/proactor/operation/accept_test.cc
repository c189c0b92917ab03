// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/accept.h"

#include <fcntl.h>

#include <cerrno>
#include <optional>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/operation/recv.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class AcceptTest : public OperationTest {};

// accept(2): Linux reports what has gone wrong with the new connection here, and says to try the next one.
TEST(AcceptOpTest, ErrorsOfTheConnectionAreNotThoseOfTheListener) {
  for (int error : {ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENONET}) {
    AcceptOp op = {.descriptor = nullptr};
    int result = -error;
    EXPECT_FALSE(op.Advance(result)) << strerror(error);
  }
}

// Asking again would not help, or never end: EOPNOTSUPP is also what a socket says that cannot be listened on.
TEST(AcceptOpTest, ErrorsOfTheListenerEndIt) {
  for (int error : {EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, EFAULT, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ECANCELED}) {
    AcceptOp op = {.descriptor = nullptr};
    int result = -error;
    EXPECT_TRUE(op.Advance(result)) << strerror(error);
    EXPECT_EQ(result, -error);
  }
}

TEST_P(AcceptTest, YieldsAConnectionThatIsClosedWithItsOwner) {
  Listener listener = MakeListener(system());
  OwnedDescriptor client = MakeClient(system(), listener.address);
  absl::StatusOr<OwnedDescriptor> connection = Await(AcceptOp{.descriptor = listener.descriptor.get()});
  ASSERT_THAT(connection, IsOk());
  EXPECT_EQ((*connection)->kind, DescriptorKind::kSocket);
  if (!simulated()) {
    EXPECT_NE(fcntl((*connection)->number, F_GETFD) & FD_CLOEXEC, 0);
  }
  *connection = OwnedDescriptor();
  char buffer[1];
  EXPECT_THAT(Await(RecvOp{.descriptor = client.get(), .buffer = buffer}), IsOkAndHolds(0u));
}

TEST_P(AcceptTest, WaitsOnANonBlockingListenerToo) {
  Listener listener = MakeListener(system(), 16, SOCK_NONBLOCK);
  std::optional<OwnedDescriptor> client;
  EXPECT_THAT(AwaitWhile(AcceptOp{.descriptor = listener.descriptor.get()},
                         [&] { client = MakeClient(system(), listener.address); }),
              IsOk());
}

// Invariant 12: ECONNABORTED and EINTR never reach the user.
TEST(AcceptOpTest, AConnectionThatWasAbortedIsPassedOver) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed});
    Listener listener = MakeListener(world.system());
    OwnedDescriptor aborted = MakeClient(world.system(), listener.address);
    OwnedDescriptor second = MakeClient(world.system(), listener.address);
    ASSERT_TRUE(world.system().AbortNextConnection(listener.descriptor->number));
    world.system().FailNext(SimulatedCall::kAccept, EINTR, 3);
    auto body = [&]() -> Task<absl::Status> {
      OwnedDescriptor connection = co_await Try(MakeOperation(AcceptOp{.descriptor = listener.descriptor.get()}));
      // It is the second one's.
      EXPECT_EQ(world.system().Send(connection->number, "x", 1), 1);
      char buffer[1];
      absl::StatusOr<size_t> n = co_await MakeOperation(RecvOp{.descriptor = second.get(), .buffer = buffer});
      EXPECT_THAT(n, IsOkAndHolds(1u));
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world.Run(body()), IsOk());
    EXPECT_GE(world.scheduler().counters().resubmissions.value(), 4);
  }
}

TEST_P(AcceptTest, RunningOutOfDescriptorsIsAnErrorAndLosesNoConnection) {
  Listener listener = MakeListener(system());
  OwnedDescriptor client = MakeClient(system(), listener.address);
  absl::StatusOr<OwnedDescriptor> connection = Await(AcceptOp{.descriptor = listener.descriptor.get()});
  EXPECT_THAT(connection, IsOk());
  client = MakeClient(system(), listener.address);
  {
    std::optional<NoMoreDescriptors> none_left;
    if (simulated()) {
      simulation().FailNext(SimulatedCall::kAccept, EMFILE);
    } else {
      none_left.emplace();
    }
    connection = Await(AcceptOp{.descriptor = listener.descriptor.get()});
  }
  EXPECT_THAT(connection, StatusIs(absl::StatusCode::kResourceExhausted, "accept: Too many open files"));
  EXPECT_THAT(Await(AcceptOp{.descriptor = listener.descriptor.get()}), IsOk());
}

TEST_P(AcceptTest, WhatDoesNotListenIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(AcceptOp{.descriptor = socket.get()}).status()), EINVAL);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(AcceptOp{.descriptor = pipe.reader.get()}).status()), ENOTSOCK);
}

TEST_P(AcceptTest, ACancelledScopeTakesNoConnection) {
  Listener listener = MakeListener(system());
  OwnedDescriptor client = MakeClient(system(), listener.address);
  EXPECT_THAT(AwaitInCancelledScope(AcceptOp{.descriptor = listener.descriptor.get()}),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(Await(AcceptOp{.descriptor = listener.descriptor.get()}), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(AcceptTest);

}  // namespace
}  // namespace proactor
