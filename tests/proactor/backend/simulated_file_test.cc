// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/backend/simulated_system.h"

namespace proactor {
namespace {

// Runs on the simulated files and on the kernel's, which say whether the simulation is right.
class SimulatedFileTest : public ::testing::TestWithParam<bool> {
 protected:
  void TearDown() override {
    for (int fd : open_) system().Close(fd);
    if (!GetParam()) unlink(path_.c_str());
  }

  System& system() { return GetParam() ? simulated_ : System::Real(); }
  int Open(int flags, mode_t mode = 0644) {
    int fd = system().Open(path_.c_str(), flags, mode);
    if (fd >= 0) open_.insert(fd);
    return fd;
  }
  int Write(int fd, std::string_view bytes, int64_t offset = -1) {
    return system().Write(fd, bytes.data(), bytes.size(), offset);
  }
  std::string Read(int fd, int64_t offset = -1, size_t size = 100) {
    std::string buffer(size, '\0');
    int result = system().Read(fd, buffer.data(), size, offset);
    EXPECT_GE(result, 0);
    return result < 0 ? "" : buffer.substr(0, static_cast<size_t>(result));
  }
  struct statx Stat(int fd) {
    struct statx facts;
    EXPECT_EQ(system().Stat(fd, STATX_BASIC_STATS, &facts), 0);
    return facts;
  }

  SimulatedSystem simulated_{{.short_transfers = false, .interruptions = false}};
  std::string path_ = absl::StrCat(::testing::TempDir(), "/simulated_file_test.", getpid());
  std::set<int> open_;
};
INSTANTIATE_TEST_SUITE_P(, SimulatedFileTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Simulated" : "Kernel"; });

TEST_P(SimulatedFileTest, WhatIsWrittenCanBeRead) {
  int fd = Open(O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "hello world"), 11);
  EXPECT_EQ(Read(fd, 0), "hello world");
  EXPECT_EQ(Read(fd, 6, 3), "wor");
  EXPECT_EQ(Stat(fd).stx_size, 11);
}

TEST_P(SimulatedFileTest, EachDescriptorHasItsOwnPosition) {
  int one = Open(O_RDWR | O_CREAT);
  int two = Open(O_RDWR);
  EXPECT_EQ(Write(one, "abc"), 3);
  EXPECT_EQ(Write(one, "def"), 3);
  EXPECT_EQ(Read(one), "");
  EXPECT_EQ(Read(two, -1, 2), "ab");
  EXPECT_EQ(Read(two), "cdef");
  EXPECT_EQ(Read(two), "");
}

TEST_P(SimulatedFileTest, OffsetsLeaveThePositionAlone) {
  int fd = Open(O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "abcdef"), 6);
  EXPECT_EQ(Write(fd, "XY", 1), 2);
  EXPECT_EQ(Read(fd, 0), "aXYdef");
  EXPECT_EQ(Write(fd, "g"), 1);
  EXPECT_EQ(Read(fd, 0), "aXYdefg");
}

TEST_P(SimulatedFileTest, WritingBehindTheEndFillsWithZeros) {
  int fd = Open(O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "x", 3), 1);
  EXPECT_EQ(Read(fd, 0), std::string("\0\0\0x", 4));
  EXPECT_EQ(Read(fd, 4), "");
  EXPECT_EQ(Read(fd, 1000), "");
}

TEST_P(SimulatedFileTest, AppendingGoesToTheEndEvenWithAnOffset) {
  int fd = Open(O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "abc"), 3);
  int append = Open(O_WRONLY | O_APPEND);
  EXPECT_EQ(Write(append, "def"), 3);
  EXPECT_EQ(Write(append, "ghi", 0), 3);
  EXPECT_EQ(Read(fd, 0), "abcdefghi");
}

TEST_P(SimulatedFileTest, AccessModesAreKept) {
  EXPECT_EQ(Open(O_RDONLY), -ENOENT);
  int writer = Open(O_WRONLY | O_CREAT);
  int reader = Open(O_RDONLY);
  char byte = 'x';
  EXPECT_EQ(system().Read(writer, &byte, 1, -1), -EBADF);
  EXPECT_EQ(system().Read(writer, &byte, 1, 0), -EBADF);
  EXPECT_EQ(Write(reader, "x"), -EBADF);
  EXPECT_EQ(Write(reader, "x", 0), -EBADF);
  EXPECT_EQ(system().Truncate(reader, 0), -EINVAL);
}

TEST_P(SimulatedFileTest, CreatingExclusivelyFailsIfItIsThere) {
  EXPECT_GE(Open(O_WRONLY | O_CREAT | O_EXCL), 0);
  EXPECT_EQ(Open(O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
}

TEST_P(SimulatedFileTest, OpeningCanEmptyTheFile) {
  int fd = Open(O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "old"), 3);
  EXPECT_GE(Open(O_WRONLY | O_TRUNC), 0);
  EXPECT_EQ(Stat(fd).stx_size, 0);
}

TEST_P(SimulatedFileTest, PathsThatAreNoFiles) {
  EXPECT_EQ(system().Open("", O_RDONLY, 0), -ENOENT);
  EXPECT_GE(Open(O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(Open(O_RDONLY | O_DIRECTORY), -ENOTDIR);
}

TEST_P(SimulatedFileTest, TruncatingCutsAndExtends) {
  int fd = Open(O_RDWR | O_CREAT);
  EXPECT_EQ(Write(fd, "abcdef"), 6);
  EXPECT_EQ(system().Truncate(fd, 2), 0);
  EXPECT_EQ(system().Truncate(fd, 4), 0);
  EXPECT_EQ(Read(fd, 0), std::string("ab\0\0", 4));
  EXPECT_EQ(system().Truncate(fd, -1), -EINVAL);
}

TEST_P(SimulatedFileTest, IsARegularFileThatCanBeSynced) {
  int fd = Open(O_RDWR | O_CREAT, 0600);
  struct statx facts = Stat(fd);
  EXPECT_EQ(facts.stx_mode, S_IFREG | 0600);
  EXPECT_EQ(facts.stx_nlink, 1);
  EXPECT_EQ(system().Sync(fd, true), 0);
  EXPECT_EQ(system().Sync(fd, false), 0);
}

class SimulatedDiskTest : public ::testing::Test {
 protected:
  int Write(int fd, size_t size, int64_t offset = -1) {
    return system_.Write(fd, std::string(size, 'x').data(), size, offset);
  }

  SimulatedSystem system_{{.short_transfers = false, .interruptions = false, .disk_size = 100}};
};

TEST_F(SimulatedDiskTest, AFullDiskCutsTheLastWriteShortAndRefusesTheNext) {
  int fd = system_.Open("file", O_RDWR | O_CREAT, 0644);
  EXPECT_EQ(Write(fd, 70), 70);
  EXPECT_EQ(Write(fd, 70), 30);
  EXPECT_EQ(Write(fd, 70), -ENOSPC);
  EXPECT_EQ(Write(fd, 1000, 1'000'000), -ENOSPC);
  // What is there can be written over.
  EXPECT_EQ(Write(fd, 70, 0), 70);
  EXPECT_EQ(system_.Truncate(fd, 101), -EFBIG);
}

TEST_F(SimulatedDiskTest, ARemovedFileLivesUntilItIsClosed) {
  system_.WriteFile("file", std::string(100, 'x'));
  int fd = system_.Open("file", O_RDONLY, 0);
  EXPECT_EQ(system_.RemoveFile("file"), 0);
  EXPECT_EQ(system_.RemoveFile("file"), -ENOENT);
  EXPECT_EQ(system_.ReadFile("file"), std::nullopt);
  struct statx facts;
  EXPECT_EQ(system_.Stat(fd, STATX_BASIC_STATS, &facts), 0);
  EXPECT_EQ(facts.stx_nlink, 0);
  EXPECT_EQ(facts.stx_size, 100);

  int other = system_.Open("other", O_RDWR | O_CREAT, 0644);
  EXPECT_EQ(Write(other, 1), -ENOSPC);
  EXPECT_EQ(system_.Close(fd), 0);
  EXPECT_EQ(Write(other, 1), 1);
}

TEST_F(SimulatedDiskTest, FilesKnowWhenTheyWereChanged) {
  int fd = system_.Open("file", O_RDWR | O_CREAT, 0644);
  system_.clock().AdvanceTo(system_.clock().Now() + absl::Seconds(90));
  EXPECT_EQ(Write(fd, 1), 1);
  struct statx facts;
  EXPECT_EQ(system_.Stat(fd, STATX_BASIC_STATS, &facts), 0);
  EXPECT_EQ(absl::FromUnixSeconds(facts.stx_mtime.tv_sec), system_.clock().WallTime());
  EXPECT_EQ(facts.stx_mtime.tv_sec - facts.stx_btime.tv_sec, 90);
}

TEST_F(SimulatedDiskTest, PermissionsAreLessTheUmask) {
  int fd = system_.Open("file", O_RDWR | O_CREAT, 0666);
  struct statx facts;
  EXPECT_EQ(system_.Stat(fd, STATX_BASIC_STATS, &facts), 0);
  EXPECT_EQ(facts.stx_mode, S_IFREG | 0644);
}

}  // namespace
}  // namespace proactor
