// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/sync.h"

#include <fcntl.h>
#include <liburing.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class SyncTest : public OperationTest {};

TEST_P(SyncTest, AFileNeedNotBeOpenForWriting) {
  { OwnedDescriptor file = MakeFile("file", "0123456789"); }
  OwnedDescriptor file = OpenFile(system(), Path("file"), O_RDONLY);
  EXPECT_THAT(Await(SyncOp{.descriptor = file.get()}), IsOk());
  EXPECT_THAT(Await(SyncOp{.descriptor = file.get(), .data_only = true}), IsOk());
}

TEST_P(SyncTest, WhatHasNoDeviceIsAnError) {
  PipeEnds pipe = MakePipe(system());
  EXPECT_THAT(Await(SyncOp{.descriptor = pipe.writer.get()}),
              StatusIs(absl::StatusCode::kInvalidArgument, "fsync: Invalid argument"));
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(SyncOp{.descriptor = socket.get()})), EINVAL);
}

TEST_P(SyncTest, ACancelledScopeDoesNotSync) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_THAT(AwaitInCancelledScope(SyncOp{.descriptor = file.get()}), StatusIs(absl::StatusCode::kCancelled));
}

TEST(SyncOpTest, OnlyTheDataIsADifferentRequest) {
  OwnedDescriptor file(System::Real(), -1, DescriptorKind::kRegularFile);
  for (bool data_only : {false, true}) {
    SyncOp op = {.descriptor = file.get(), .data_only = data_only};
    io_uring_sqe entry = {};
    op.Prepare(entry);
    EXPECT_EQ(entry.opcode, IORING_OP_FSYNC);
    EXPECT_EQ(entry.fsync_flags, data_only ? IORING_FSYNC_DATASYNC : 0);
  }
}

// The kernel tells a failed write-back once: whoever misses it believes that the data is safe.
TEST(SyncOpTest, AWriteThatFailedLaterIsReported) {
  SimulatedWorld world;
  OwnedDescriptor file = OpenFile(world.system(), "file", O_RDWR | O_CREAT);
  world.system().FailNext(SimulatedCall::kSync, EINTR, 2);
  world.system().FailNext(SimulatedCall::kSync, EIO);
  auto body = [&]() -> Task<absl::Status> { co_return co_await MakeOperation(SyncOp{.descriptor = file.get()}); };
  absl::Status status = world.Run(body());
  EXPECT_EQ(ErrnoOf(status), EIO) << status;
}

INSTANTIATE_ON_EVERY_BACKEND(SyncTest);

}  // namespace
}  // namespace proactor
