// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/read.h"

#include <fcntl.h>
#include <liburing.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class ReadTest : public OperationTest {
 protected:
  ReadOp Read(const OwnedDescriptor& from) { return {{.descriptor = from.get(), .buffer = buffer_}}; }
  ReadAtOp ReadAt(const OwnedDescriptor& from, int64_t offset) {
    return {{.descriptor = from.get(), .buffer = buffer_, .offset = offset}};
  }

  char buffer_[16];
};

TEST_P(ReadTest, AtThePositionMovesItAndAtAnOffsetDoesNot) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  absl::StatusOr<size_t> first = Await(Read(file));
  ASSERT_THAT(first, IsOk());
  std::string text(buffer_, *first);
  absl::StatusOr<size_t> elsewhere = Await(ReadAt(file, 5));
  ASSERT_THAT(elsewhere, IsOk());
  EXPECT_EQ(std::string(buffer_, *elsewhere), std::string("56789").substr(0, *elsewhere));
  while (true) {
    absl::StatusOr<size_t> n = Await(Read(file));
    ASSERT_THAT(n, IsOk());
    if (*n == 0) break;
    text.append(buffer_, *n);
  }
  EXPECT_EQ(text, "0123456789");
}

TEST_P(ReadTest, AtAndBehindTheEndAreZeroBytes) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_THAT(Await(ReadAt(file, 10)), IsOkAndHolds(0u));
  EXPECT_THAT(Await(ReadAt(file, int64_t{1} << 40)), IsOkAndHolds(0u));
}

// An offset of -1 is how the kernel is asked to read at the position.
TEST_P(ReadTest, ANegativeOffsetIsAnErrorInsteadOfThePosition) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_EQ(ErrnoOf(Await(ReadAt(file, -1)).status()), EINVAL);
  EXPECT_EQ(ErrnoOf(Await(ReadAt(file, -10)).status()), EINVAL);
}

TEST_P(ReadTest, AnEmptyBufferIsRefusedWithoutAskingAnyone) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  int64_t before = counters().operations.value();
  EXPECT_THAT(Await(ReadOp{{.descriptor = file.get(), .buffer = {}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "read: Invalid argument"));
  EXPECT_THAT(Await(ReadAtOp{{.descriptor = file.get(), .buffer = {}, .offset = 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "pread: Invalid argument"));
  EXPECT_EQ(counters().operations.value(), before);
}

TEST_P(ReadTest, WhatIsNotOpenForReadingIsAnError) {
  OwnedDescriptor file = OpenFile(system(), Path("file"), O_WRONLY | O_CREAT);
  EXPECT_EQ(ErrnoOf(Await(Read(file)).status()), EBADF);
  EXPECT_EQ(ErrnoOf(Await(ReadAt(file, 0)).status()), EBADF);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(Read(pipe.writer)).status()), EBADF);
}

TEST_P(ReadTest, APipeHasNoOffsets) {
  PipeEnds pipe = MakePipe(system());
  WriteNow(pipe.writer, "x");
  EXPECT_EQ(ErrnoOf(Await(ReadAt(pipe.reader, 0)).status()), ESPIPE);
}

TEST_P(ReadTest, APipeIsWaitedForUntilItsLastWriterCloses) {
  PipeEnds pipe = MakePipe(system());
  EXPECT_THAT(AwaitWhile(Read(pipe.reader), [&] { WriteNow(pipe.writer, "x"); }), IsOkAndHolds(1u));
  EXPECT_THAT(AwaitWhile(Read(pipe.reader), [&] { pipe.writer = OwnedDescriptor(); }), IsOkAndHolds(0u));
}

TEST_P(ReadTest, ACancelledScopeTakesNoBytes) {
  PipeEnds pipe = MakePipe(system());
  WriteNow(pipe.writer, "x");
  EXPECT_THAT(AwaitInCancelledScope(Read(pipe.reader)), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(Await(Read(pipe.reader)), IsOkAndHolds(1u));
}

TEST(ReadOpTest, InterruptionsAndDiskErrors) {
  SimulatedWorld world({.interruptions = false});
  world.system().WriteFile("file", "x");
  OwnedDescriptor file = OpenFile(world.system(), "file", O_RDONLY);
  world.system().FailNext(SimulatedCall::kRead, EINTR, 5);
  char buffer[1];
  auto body = [&]() -> Task<absl::StatusOr<size_t>> {
    co_return co_await MakeOperation(ReadOp{{.descriptor = file.get(), .buffer = buffer}});
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(1u));
  EXPECT_EQ(world.scheduler().counters().resubmissions.value(), 5);
  world.system().FailNext(SimulatedCall::kRead, EIO);
  EXPECT_EQ(ErrnoOf(world.Run(body()).status()), EIO);
}

TEST(ReadOpTest, NoMoreThanTheKernelTransfersIsAskedForAtOnce) {
  OwnedDescriptor file(System::Real(), -1, DescriptorKind::kRegularFile);
  char buffer[1];
  // The bytes are not touched.
  ReadAtOp op = {{.descriptor = file.get(), .buffer = {buffer, size_t{5} << 30}, .offset = 7}};
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.len, kLargestTransfer);
  EXPECT_EQ(entry.off, 7u);
}

INSTANTIATE_ON_EVERY_BACKEND(ReadTest);

// What only a real file system has.
class RealReadTest : public ReadTest {};

TEST_P(RealReadTest, ADirectoryIsAnError) {
  OwnedDescriptor directory = OpenFile(system(), ::testing::TempDir(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(ErrnoOf(Await(Read(directory)).status()), EISDIR);
  EXPECT_EQ(ErrnoOf(Await(ReadAt(directory, 0)).status()), EISDIR);
}

INSTANTIATE_ON_REAL_BACKENDS(RealReadTest);

}  // namespace
}  // namespace proactor
