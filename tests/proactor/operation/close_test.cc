// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/close.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class CloseTest : public OperationTest {
 protected:
  bool IsOpen(int number) {
    struct statx facts;
    return system().Stat(number, STATX_TYPE, &facts) == 0;
  }
};

TEST_P(CloseTest, TheNumberIsFreeAndForgotten) {
  OwnedDescriptor file = MakeFile("file", "");
  int number = file->number;
  EXPECT_THAT(Await(CloseOp{.descriptor = file.get()}), IsOk());
  EXPECT_FALSE(IsOpen(number));
  EXPECT_EQ(file->number, -1);
  EXPECT_FALSE(file->closes);
  EXPECT_EQ(ErrnoOf(Await(CloseOp{.descriptor = file.get()})), EBADF);
}

// The next descriptor has the number of the one that was closed, and the first owner is not to close it.
TEST_P(CloseTest, TheOwnerDoesNotCloseAgain) {
  OwnedDescriptor second;
  {
    OwnedDescriptor first = MakeSocket(system());
    int number = first->number;
    EXPECT_THAT(Await(CloseOp{.descriptor = first.get()}), IsOk());
    second = MakeSocket(system());
    ASSERT_EQ(second->number, number);
  }
  EXPECT_TRUE(IsOpen(second->number));
}

TEST_P(CloseTest, CancelledBeforeItStartedLeavesItToTheOwner) {
  int number;
  {
    OwnedDescriptor file = MakeFile("file", "");
    number = file->number;
    EXPECT_THAT(AwaitInCancelledScope(CloseOp{.descriptor = file.get()}),
                StatusIs(absl::StatusCode::kCancelled, "close: Operation canceled"));
    EXPECT_EQ(file->number, number);
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST_P(CloseTest, AShieldClosesInACancelledScope) {
  OwnedDescriptor file = MakeFile("file", "");
  int number = file->number;
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    scope.Cancel();
    co_return co_await Shield(MakeOperation(CloseOp{.descriptor = file.get()}));
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
  EXPECT_FALSE(IsOpen(number));
}

// close(2): on Linux the number is free after EINTR too, and may be someone else's by now.
TEST(CloseOpTest, AnInterruptionIsASuccessAndIsNotRepeated) {
  SimulatedWorld world;
  OwnedDescriptor socket = MakeSocket(world.system());
  int number = socket->number;
  world.system().FailNext(SimulatedCall::kClose, EINTR);
  auto body = [&]() -> Task<absl::Status> { co_return co_await MakeOperation(CloseOp{.descriptor = socket.get()}); };
  EXPECT_THAT(world.Run(body()), IsOk());
  EXPECT_EQ(world.scheduler().counters().resubmissions.value(), 0);
  EXPECT_EQ(socket->number, -1);
  OwnedDescriptor next = MakeSocket(world.system());
  EXPECT_EQ(next->number, number);
}

TEST(CloseOpTest, ALateWriteErrorIsReportedAndTheNumberIsFree) {
  SimulatedWorld world;
  OwnedDescriptor file = OpenFile(world.system(), "file", O_RDWR | O_CREAT);
  world.system().FailNext(SimulatedCall::kClose, EIO);
  auto body = [&]() -> Task<absl::Status> { co_return co_await MakeOperation(CloseOp{.descriptor = file.get()}); };
  absl::Status status = world.Run(body());
  EXPECT_EQ(ErrnoOf(status), EIO) << status;
  EXPECT_EQ(file->number, -1);
  EXPECT_EQ(world.system().open_descriptors(), 0);
}

TEST(CloseOpTest, ARequestThatTheKernelNeverTriedLeavesTheNumber) {
  Descriptor descriptor = {.system = System::Real(), .number = 7, .kind = DescriptorKind::kOther};
  CloseOp op = {.descriptor = &descriptor};
  int result = -ECANCELED;
  EXPECT_TRUE(op.Advance(result));
  EXPECT_EQ(result, -ECANCELED);
  EXPECT_EQ(descriptor.number, 7);
  EXPECT_TRUE(descriptor.closes);
}

INSTANTIATE_ON_EVERY_BACKEND(CloseTest);

}  // namespace
}  // namespace proactor
