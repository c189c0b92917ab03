// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/accept.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/log.h"
#include "proactor/operation/close.h"
#include "proactor/operation/recv.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

class AcceptTest : public OperationTest {
 protected:
  // The limit of descriptors counts when a request is armed, so a test that lowers it does all this once before, but
  // not on the listener that it is about.
  absl::StatusOr<OwnedDescriptor> AcceptElsewhere() {
    other_.emplace(MakeListener(system()));
    OwnedDescriptor client = MakeClient(system(), other_->address);
    absl::StatusOr<OwnedDescriptor> connection = Await(AcceptOp{.descriptor = other_->descriptor.get()});
    EXPECT_THAT(connection, IsOk());
    return connection;
  }

 private:
  std::optional<Listener> other_;
};

// accept(2): Linux reports what has gone wrong with the new connection here, and says to try the next one.
class AcceptOpTest : public ::testing::Test {
 protected:
  AcceptOpTest() { descriptor_.multishot = &queue_; }

  Descriptor descriptor_ = {.system = System::Real(), .number = -1, .kind = DescriptorKind::kSocket};
  AcceptQueue queue_{descriptor_};
};

TEST_F(AcceptOpTest, ErrorsOfTheConnectionAreNotThoseOfTheListener) {
  for (int error : {ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENONET}) {
    AcceptOp op = {.descriptor = &descriptor_};
    int result = -error;
    EXPECT_FALSE(op.Advance(result)) << strerror(error);
  }
}

// Asking again would not help, or never end: EOPNOTSUPP is also what a socket says that cannot be listened on.
TEST_F(AcceptOpTest, ErrorsOfTheListenerEndIt) {
  for (int error : {EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP, EFAULT, EPERM, ECANCELED}) {
    AcceptOp op = {.descriptor = &descriptor_};
    int result = -error;
    EXPECT_TRUE(op.Advance(result)) << strerror(error);
    EXPECT_EQ(result, -error);
    EXPECT_FALSE(op.NeedsPause(-error));
  }
}

TEST_F(AcceptOpTest, AShortageIsWaitedFor) {
  for (int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    AcceptOp op = {.descriptor = &descriptor_};
    int result = -error;
    EXPECT_FALSE(op.Advance(result)) << strerror(error);
    EXPECT_TRUE(op.NeedsPause(-error));
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
TEST_F(AcceptOpTest, AConnectionThatWasAbortedIsPassedOver) {
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

// Invariant 12: nor does a shortage. Nobody closes a descriptor here, so it asks again after a while.
TEST_P(AcceptTest, RunningOutOfDescriptorsIsWaitedOutAndLosesNoConnection) {
  Listener listener = MakeListener(system());
  absl::StatusOr<OwnedDescriptor> connection = AcceptElsewhere();
  OwnedDescriptor client = MakeClient(system(), listener.address);
  std::optional<NoMoreDescriptors> none_left;
  if (simulated()) {
    simulation().FailNext(SimulatedCall::kAccept, EMFILE);
  } else {
    none_left.emplace();
  }
  connection = AwaitWhile(AcceptOp{.descriptor = listener.descriptor.get()}, [&] { none_left.reset(); });
  EXPECT_THAT(connection, IsOk());
  EXPECT_EQ(counters().accepts_parked.value(), 1);
}

TEST_P(AcceptTest, ADescriptorThatIsClosedIsUsedAtOnce) {
  Listener listener = MakeListener(system());
  std::optional<OwnedDescriptor> spare = MakeSocket(system());
  absl::StatusOr<OwnedDescriptor> connection = AcceptElsewhere();
  OwnedDescriptor client = MakeClient(system(), listener.address);
  std::optional<NoMoreDescriptors> none_left;
  if (simulated()) {
    simulation().FailNext(SimulatedCall::kAccept, EMFILE);
  } else {
    none_left.emplace();
  }
  MonotonicTime start = scheduler().Now();
  connection = AwaitWhile(AcceptOp{.descriptor = listener.descriptor.get()}, [&] { spare.reset(); });
  // On a busy machine the pause may be over before the test closes anything.
  bool in_time = scheduler().Now() - start < absl::Milliseconds(10);
  none_left.reset();
  EXPECT_THAT(connection, IsOk());
  EXPECT_GE(counters().accepts_parked.value(), 1);
  if (!simulated()) return;  // Real time may pass for no reason, and the pause with it.
  EXPECT_EQ(counters().accepts_parked.value(), 1);
  EXPECT_TRUE(!in_time || counters().timers_fired.value() <= 1) << "a timer beside that of the test itself";
}

TEST_P(AcceptTest, CancelledInAPauseItEndsAtOnceAndLosesNoConnection) {
  Listener listener = MakeListener(system());
  absl::StatusOr<OwnedDescriptor> connection = AcceptElsewhere();
  OwnedDescriptor client = MakeClient(system(), listener.address);
  std::optional<NoMoreDescriptors> none_left;
  if (simulated()) {
    simulation().FailNext(SimulatedCall::kAccept, EMFILE);
  } else {
    none_left.emplace();
  }
  MonotonicTime start = scheduler().Now();
  connection = AwaitWithTimeout(absl::Milliseconds(2), AcceptOp{.descriptor = listener.descriptor.get()});
  none_left.reset();
  EXPECT_THAT(connection.status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  if (simulated()) {
    EXPECT_EQ(scheduler().Now() - start, absl::Milliseconds(2));
  }
  EXPECT_EQ(counters().accepts_parked.value(), 1);
  EXPECT_THAT(Await(AcceptOp{.descriptor = listener.descriptor.get()}), IsOk());
}

// One second at the most, however long it lasts; and the first line of the log is the only one for a while.
TEST_F(AcceptOpTest, PausesGrowToASecond) {
  static int lines;
  lines = 0;
  LogSink before = SetLogSink([](LogSeverity severity, std::string_view line) {
    ++lines;
    EXPECT_EQ(severity, LogSeverity::kWarning);
    EXPECT_EQ(line.substr(0, 21), "accept on descriptor ") << line;
    EXPECT_NE(line.find(": Too many open files; "), line.npos) << line;
  });
  {
    SimulatedWorld world({.interruptions = false});
    Listener listener = MakeListener(world.system());
    OwnedDescriptor client = MakeClient(world.system(), listener.address);
    world.system().FailNext(SimulatedCall::kAccept, EMFILE, 10);
    auto body = [&]() -> Task<absl::Status> {
      co_return (co_await MakeOperation(AcceptOp{.descriptor = listener.descriptor.get()})).status();
    };
    EXPECT_THAT(world.Run(body()), IsOk());
    EXPECT_EQ(world.Elapsed(), absl::Milliseconds(10 + 20 + 40 + 80 + 160 + 320 + 640 + 3 * 1000));
    EXPECT_EQ(world.scheduler().counters().accepts_parked.value(), 10);
  }
  SetLogSink(before);
  EXPECT_EQ(lines, 1);
}

// A server with room for three connections, and ten clients that each want one: all are served, and no time passes but
// theirs, because each connection that ends makes room for the next.
TEST_F(AcceptOpTest, AServerAtItsLimitServesEverybodyInTheEnd) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedWorld world({.seed = seed, .descriptor_limit = 3 + 1 + 10 + 3});
    Listener listener = MakeListener(world.system());
    std::vector<OwnedDescriptor> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(MakeClient(world.system(), listener.address));
    int served = 0;
    auto serve = [&](OwnedDescriptor connection) -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(1)));
      ++served;
      bool by_operation = served % 2 == 0;
      if (by_operation) co_await Try(MakeOperation(CloseOp{.descriptor = connection.get()}));
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int i = 0; i < 10; ++i) {
        group.Spawn(serve(co_await Try(MakeOperation(AcceptOp{.descriptor = listener.descriptor.get()}))));
      }
      co_await group.Join();
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
    EXPECT_EQ(served, 10);
    EXPECT_EQ(world.Elapsed(), absl::Milliseconds(4));
    EXPECT_GE(world.scheduler().counters().accepts_parked.value(), 3);
  }
}

TEST_P(AcceptTest, WhatDoesNotListenIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(AcceptOp{.descriptor = socket.get()}).status()), EINVAL);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(AcceptOp{.descriptor = pipe.reader.get()}).status()), ENOTSOCK);
}

bool AcceptsByItself(SimulatedWorld& world) {
  return world.scheduler().proactor().capabilities().Has(Feature::kMultishotAccept);
}

TEST(AcceptKernelTest, ASocketThatDoesNotListenIsNotTheKernelsFault) {
  auto world = MakeFakeRingWorld({.seed = 7}, FakeKernelOptions{});
  auto body = [&]() -> Task<absl::Status> {
    OwnedDescriptor socket = MakeSocket(world->system());
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<OwnedDescriptor> connection = co_await MakeOperation(AcceptOp{.descriptor = socket.get()});
      EXPECT_EQ(ErrnoOf(connection.status()), EINVAL);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world->Run(body()), IsOk());
  EXPECT_TRUE(AcceptsByItself(*world));
}

TEST(AcceptKernelTest, ARequestThatIsRefusedIsNotMadeAgain) {
  FakeKernelProfile refuses = FakeKernelProfile::Newest();
  refuses.multishot_accept = false;
  auto world = MakeFakeRingWorld({.seed = 7}, {.profile = refuses});
  EXPECT_TRUE(AcceptsByItself(*world)) << "it seems to";
  auto body = [&]() -> Task<absl::Status> {
    Listener listener = MakeListener(world->system());
    for (int i = 0; i < 2; ++i) {
      OwnedDescriptor client = MakeClient(world->system(), listener.address);
      co_await Try(MakeOperation(AcceptOp{.descriptor = listener.descriptor.get()}));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world->Run(body()), IsOk());
  EXPECT_FALSE(AcceptsByItself(*world));
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
