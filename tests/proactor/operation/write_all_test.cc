// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/write_all.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class WriteAllTest : public OperationTest {
 protected:
  static WriteAllOp Write(const OwnedDescriptor& to, std::string_view bytes) {
    return {{.descriptor = to.get(), .bytes = bytes}};
  }
  static WriteAllAtOp WriteAt(const OwnedDescriptor& to, int64_t offset, std::string_view bytes) {
    return {{.descriptor = to.get(), .bytes = bytes, .offset = offset}};
  }
  static std::string Contents(const OwnedDescriptor& file) {
    std::string text;
    char buffer[100];
    while (true) {
      int n = file->system.Read(file->number, buffer, sizeof(buffer), static_cast<int64_t>(text.size()));
      if (n == -EINTR) continue;
      if (n <= 0) return text;
      text.append(buffer, static_cast<size_t>(n));
    }
  }
};

TEST(WriteAllOpTest, AShortWriteIsContinuedWhereItStopped) {
  OwnedDescriptor file(System::Real(), -1, DescriptorKind::kRegularFile);
  std::string_view bytes = "0123456789";
  WriteAllOp at_position = {{.descriptor = file.get(), .bytes = bytes}};
  WriteAllAtOp at_offset = {{.descriptor = file.get(), .bytes = bytes, .offset = 100}};
  for (WriteFields* op : {static_cast<WriteFields*>(&at_position), static_cast<WriteFields*>(&at_offset)}) {
    int result = 4;
    EXPECT_FALSE(op->Advance(result));
    io_uring_sqe entry = {};
    op->Prepare(entry);
    EXPECT_EQ(entry.addr, reinterpret_cast<uintptr_t>(bytes.data() + 4));
    EXPECT_EQ(entry.len, 6u);
    // At the position, the kernel has moved it.
    EXPECT_EQ(entry.off, op == &at_offset ? 104u : ~uint64_t{0});
    result = -ENOSPC;
    EXPECT_TRUE(op->Advance(result));
    EXPECT_EQ(BytesTransferred(op->ToStatus(ErrnoToStatus(-result, "write"))), 4u);
  }
}

// It would be asked for ever.
TEST(WriteAllOpTest, ADeviceThatTakesNothingAndReportsNothingIsAnError) {
  OwnedDescriptor file(System::Real(), -1, DescriptorKind::kOther);
  WriteAllOp op = {{.descriptor = file.get(), .bytes = "0123456789"}};
  int result = 4;
  EXPECT_FALSE(op.Advance(result));
  result = 0;
  EXPECT_TRUE(op.Advance(result));
  EXPECT_EQ(result, -EIO);
}

TEST(WriteAllOpTest, NoMoreThanTheKernelTransfersIsAskedForAtOnce) {
  OwnedDescriptor file(System::Real(), -1, DescriptorKind::kRegularFile);
  // The bytes are not touched.
  WriteAllOp op = {{.descriptor = file.get(), .bytes = {"", size_t{5} << 30}}};
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.len, kLargestTransfer);
}

TEST_P(WriteAllTest, AtThePositionMovesItAndAtAnOffsetDoesNot) {
  OwnedDescriptor file = MakeFile("file", "..........");
  EXPECT_THAT(Await(Write(file, "01")), IsOk());
  EXPECT_THAT(Await(WriteAt(file, 7, "789")), IsOk());
  EXPECT_THAT(Await(Write(file, "23")), IsOk());
  EXPECT_THAT(Await(WriteAt(file, 12, "behind")), IsOk());
  EXPECT_EQ(Contents(file), std::string("0123...789\0\0behind", 18));
}

// An offset of -1 is how the kernel is asked to write at the position.
TEST_P(WriteAllTest, ANegativeOffsetIsAnErrorInsteadOfThePosition) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  for (int64_t offset : {-1, -10}) {
    absl::Status status = Await(WriteAt(file, offset, "lost"));
    EXPECT_EQ(ErrnoOf(status), EINVAL);
    EXPECT_EQ(BytesTransferred(status), 0u);
  }
  EXPECT_EQ(Contents(file), "0123456789");
}

TEST_P(WriteAllTest, NothingIsWrittenWithoutAskingAnyone) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  int64_t before = counters().operations.value();
  EXPECT_THAT(Await(Write(file, "")), IsOk());
  EXPECT_THAT(Await(WriteAt(file, 100, "")), IsOk());
  EXPECT_EQ(counters().operations.value(), before);
  EXPECT_EQ(Contents(file), "0123456789");
}

TEST_P(WriteAllTest, WhatIsNotOpenForWritingIsAnError) {
  { OwnedDescriptor file = MakeFile("file", "0123456789"); }
  OwnedDescriptor file = OpenFile(system(), Path("file"), O_RDONLY);
  EXPECT_EQ(ErrnoOf(Await(Write(file, "x"))), EBADF);
  EXPECT_EQ(ErrnoOf(Await(WriteAt(file, 0, "x"))), EBADF);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(Write(pipe.reader, "x"))), EBADF);
}

TEST_P(WriteAllTest, APipeHasNoOffsets) {
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(WriteAt(pipe.writer, 0, "x"))), ESPIPE);
}

// The signal that a real kernel sends too is the process's business: this one ignores it, as services do.
TEST_P(WriteAllTest, APipeThatNobodyReadsAnyMoreSaysHowMuchWasTaken) {
  sighandler_t before = signal(SIGPIPE, SIG_IGN);
  PipeEnds pipe = MakePipe(system());
  std::string bytes(1'000'000, 'x');
  absl::Status status = AwaitWhile(
      Write(pipe.writer, bytes), [&] { pipe.reader = OwnedDescriptor(); },
      [&] { return system().Poll(pipe.writer->number, POLLOUT) == 0; });
  EXPECT_EQ(ErrnoOf(status), EPIPE) << status;
  EXPECT_EQ(BytesTransferred(status), 65536u);
  signal(SIGPIPE, before);
}

TEST_P(WriteAllTest, ACancelledScopeWritesNothingAndSaysSo) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  absl::Status status = AwaitInCancelledScope(Write(file, "x"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(BytesTransferred(status), 0u);
  EXPECT_EQ(Contents(file), "0123456789");
}

TEST(WriteAllOpTest, AFullDiskSaysHowMuchWasWritten) {
  SimulatedWorld world({.disk_size = 100});
  OwnedDescriptor file = OpenFile(world.system(), "file", O_RDWR | O_CREAT);
  std::string bytes(1000, 'x');
  auto body = [&]() -> Task<absl::Status> {
    co_return co_await MakeOperation(WriteAllOp{{.descriptor = file.get(), .bytes = bytes}});
  };
  absl::Status status = world.Run(body());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "write: No space left on device"));
  EXPECT_EQ(BytesTransferred(status), 100u);
  EXPECT_EQ(world.system().ReadFile("file"), std::string(100, 'x'));
}

TEST(WriteAllOpTest, InterruptionsLoseAndRepeatNothing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed});
    OwnedDescriptor file = OpenFile(world.system(), "file", O_RDWR | O_CREAT);
    std::string bytes;
    for (int i = 0; i < 300; ++i) bytes += std::to_string(i) + " ";
    world.system().FailNext(SimulatedCall::kWrite, EINTR, 3);
    auto body = [&]() -> Task<absl::Status> {
      co_return co_await MakeOperation(WriteAllOp{{.descriptor = file.get(), .bytes = bytes}});
    };
    EXPECT_THAT(world.Run(body()), IsOk());
    EXPECT_EQ(world.system().ReadFile("file"), bytes);
    EXPECT_GE(world.scheduler().counters().resubmissions.value(), 3);
  }
}

INSTANTIATE_ON_EVERY_BACKEND(WriteAllTest);

// What only a real system has.
class RealWriteAllTest : public WriteAllTest {};

TEST_P(RealWriteAllTest, AFullDeviceIsAnError) {
  OwnedDescriptor full = OpenFile(system(), "/dev/full", O_WRONLY);
  absl::Status status = Await(Write(full, "x"));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "write: No space left on device"));
  EXPECT_EQ(BytesTransferred(status), 0u);
}

INSTANTIATE_ON_REAL_BACKENDS(RealWriteAllTest);

}  // namespace
}  // namespace proactor
