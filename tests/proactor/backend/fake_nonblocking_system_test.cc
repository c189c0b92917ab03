// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_nonblocking_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace proactor {
namespace {

class FakeNonBlockingSystemTest : public ::testing::Test {
 protected:
  SimulatedSystem system_{{.short_transfers = false, .interruptions = false}};
  FakeNonBlockingSystem calls_{system_};
  FakeNonBlockingSystem old_calls_{system_, {.pipes_know_nowait = false}};
};

TEST_F(FakeNonBlockingSystemTest, LeavesToAThreadWhatMayBlock) {
  system_.WriteFile("file", "contents");
  int file = system_.Open("file", O_RDWR, 0);
  auto [reader, writer] = system_.MakePipe();
  EXPECT_FALSE(calls_.may_block());
  EXPECT_EQ(calls_.Open("file", O_RDONLY, 0), -EOPNOTSUPP);
  EXPECT_EQ(calls_.Sync(file, false), -EOPNOTSUPP);
  EXPECT_EQ(calls_.Truncate(file, 0), -EOPNOTSUPP);
  EXPECT_EQ(calls_.Splice(file, writer, 8), -EOPNOTSUPP);
  EXPECT_EQ(calls_.Splice(file, reader, 8), -EBADF) << "which never has room";
  for (int fd : {file, reader, writer}) EXPECT_EQ(calls_.Close(fd), 0);
}

TEST_F(FakeNonBlockingSystemTest, ReadsAFileAtOnceNowAndThen) {
  system_.WriteFile("file", "contents");
  int file = system_.Open("file", O_RDWR, 0);
  int done = 0, refused = 0;
  for (int i = 0; i < 100; ++i) {
    char buffer[8];
    int result = i % 2 == 0 ? calls_.Read(file, buffer, 8, 0) : calls_.Write(file, "contents", 8, 0);
    EXPECT_TRUE(result == 8 || result == -EAGAIN) << result;
    ++(result == 8 ? done : refused);
  }
  EXPECT_GT(done, 10);
  EXPECT_GT(refused, 10);
  EXPECT_EQ(calls_.Close(file), 0);
}

TEST_F(FakeNonBlockingSystemTest, PipesOfOldKernelsCannotBeTried) {
  auto [reader, writer] = system_.MakePipe();
  char buffer[8];
  EXPECT_EQ(calls_.Read(reader, buffer, 8, -1), -EAGAIN);
  EXPECT_EQ(calls_.Write(writer, "x", 1, -1), 1);
  EXPECT_EQ(old_calls_.Read(reader, buffer, 8, -1), -EOPNOTSUPP);
  EXPECT_EQ(old_calls_.Write(writer, "x", 1, -1), -EOPNOTSUPP);
  EXPECT_EQ(calls_.Read(reader, buffer, 8, -1), 1);
  for (int fd : {reader, writer}) EXPECT_EQ(calls_.Close(fd), 0);
}

}  // namespace
}  // namespace proactor
