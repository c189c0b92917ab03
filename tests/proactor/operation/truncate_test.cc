// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/truncate.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class TruncateTest : public OperationTest {
 protected:
  int64_t SizeOf(const OwnedDescriptor& file) {
    struct statx facts;
    EXPECT_EQ(system().Stat(file->number, STATX_SIZE, &facts), 0);
    return static_cast<int64_t>(facts.stx_size);
  }
};

TEST_P(TruncateTest, WhatIsCutOffIsGoneAndWhatIsAddedIsZero) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_THAT(Await(TruncateOp{.descriptor = file.get(), .size = 1}), IsOk());
  EXPECT_THAT(Await(TruncateOp{.descriptor = file.get(), .size = 3}), IsOk());
  EXPECT_EQ(SizeOf(file), 3);
  for (int64_t offset : {1, 2}) {
    char byte = 'x';
    int result;
    while ((result = system().Read(file->number, &byte, 1, offset)) == -EINTR) {
    }
    EXPECT_EQ(result, 1);
    EXPECT_EQ(byte, '\0');
  }
}

TEST_P(TruncateTest, ASizeThatNoFileHasIsAnError) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_THAT(Await(TruncateOp{.descriptor = file.get(), .size = -1}),
              StatusIs(absl::StatusCode::kInvalidArgument, "ftruncate: Invalid argument"));
  EXPECT_EQ(ErrnoOf(Await(TruncateOp{.descriptor = file.get(), .size = std::numeric_limits<int64_t>::max()})), EFBIG);
  EXPECT_EQ(SizeOf(file), 10);
}

TEST_P(TruncateTest, WhatIsNotOpenForWritingIsAnError) {
  { OwnedDescriptor file = MakeFile("file", "0123456789"); }
  OwnedDescriptor file = OpenFile(system(), Path("file"), O_RDONLY);
  EXPECT_EQ(ErrnoOf(Await(TruncateOp{.descriptor = file.get(), .size = 0})), EINVAL);
  EXPECT_EQ(SizeOf(file), 10);
}

TEST_P(TruncateTest, WhatHasNoSizeIsAnError) {
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(TruncateOp{.descriptor = pipe.writer.get(), .size = 0})), EINVAL);
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(TruncateOp{.descriptor = socket.get(), .size = 0})), EINVAL);
}

TEST_P(TruncateTest, ACancelledScopeLeavesTheFileAlone) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_THAT(AwaitInCancelledScope(TruncateOp{.descriptor = file.get(), .size = 0}),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(SizeOf(file), 10);
}

INSTANTIATE_ON_EVERY_BACKEND(TruncateTest);

// What only a real file system has.
class RealTruncateTest : public TruncateTest {};

TEST_P(RealTruncateTest, ADirectoryIsAnError) {
  OwnedDescriptor directory = OpenFile(system(), ::testing::TempDir(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(ErrnoOf(Await(TruncateOp{.descriptor = directory.get(), .size = 0})), EINVAL);
}

INSTANTIATE_ON_REAL_BACKENDS(RealTruncateTest);

}  // namespace
}  // namespace proactor
