// SPDX-License-Identifier: Apache-2.0
#include "proactor/fs/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

class FileTest : public BackendTest {
 protected:
  void SetUp() override {
    if (simulated()) return;
    directory_ = ::testing::TempDir() + "/file_test.XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override {
    for (const std::string& path : paths_) unlink(path.c_str());
    if (!directory_.empty()) rmdir(directory_.c_str());
  }
  std::string Path(const std::string& name) { return paths_.emplace_back(directory_ + "/" + name); }

 private:
  std::string directory_;
  std::vector<std::string> paths_;
};

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

Task<absl::StatusOr<std::string>> ReadToEnd(File& file) {
  std::string all;
  std::string buffer(70'000, '\0');
  while (size_t n = co_await Try(file.Read(buffer))) all.append(buffer, 0, n);
  co_return all;
}

TEST_P(FileTest, WhatWasWrittenIsRead) {
  std::string path = Path("data");
  std::string text = Pattern(1'000'000);
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    EXPECT_EQ(file.kind(), DescriptorKind::kRegularFile);
    co_await Try(file.WriteAll(text));
    co_await Try(file.Sync());
    co_await Try(file.SyncData());
    co_await Try(file.Close());
    file = co_await Try(File::Open(path));
    std::string read = co_await Try(ReadToEnd(file));
    EXPECT_TRUE(read == text);
    FileStatus status = co_await Try(file.Stat());
    EXPECT_EQ(status.size, 1'000'000);
    EXPECT_TRUE(status.is_regular());
    EXPECT_FALSE(status.is_directory());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, ReadAtAndWriteAllAtLeaveThePositionAlone) {
  std::string path = Path("data");
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    co_await Try(file.WriteAll("0123456789"));
    co_await Try(file.WriteAllAt(3, "abc"));
    co_await Try(file.WriteAll("X"));
    std::string text;
    for (int64_t offset = 0; offset < 11;) {
      char buffer[4];
      size_t n = co_await Try(file.ReadAt(offset, buffer));
      if (n == 0) break;
      text.append(buffer, n);
      offset += static_cast<int64_t>(n);
    }
    EXPECT_EQ(text, "012abc6789X");
    char buffer[1];
    size_t behind = co_await Try(file.ReadAt(1000, buffer));
    EXPECT_EQ(behind, 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, ManyReadsAtOffsetsMayBeInFlight) {
  std::string path = Path("data");
  std::string text = Pattern(256 * 1000);
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    co_await Try(file.WriteAll(text));
    int right = 0;
    auto all = [&](TaskGroup& group) -> Task<absl::Status> {
      auto part = [&](size_t begin) -> Task<absl::Status> {
        char buffer[1000];
        size_t n = co_await Try(file.ReadAt(static_cast<int64_t>(begin), buffer));
        right += n > 0 && text.compare(begin, n, buffer, n) == 0;
        co_return absl::OkStatus();
      };
      for (size_t i = 0; i < 256; ++i) group.Spawn(part(i * 1000));
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(all));
    EXPECT_EQ(right, 256);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, AppendGoesToTheEnd) {
  std::string path = Path("log");
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      File file = co_await Try(File::Open(path, {.read = false, .append = true, .create = true}));
      co_await Try(file.WriteAll("line\n"));
    }
    File file = co_await Try(File::Open(path));
    std::string text = co_await Try(ReadToEnd(file));
    EXPECT_EQ(text, "line\nline\nline\n");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, TruncateCutsAndExtends) {
  std::string path = Path("data");
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    co_await Try(file.WriteAll("0123456789"));
    co_await Try(file.Truncate(4));
    FileStatus cut = co_await Try(file.Stat());
    EXPECT_EQ(cut.size, 4);
    co_await Try(file.Truncate(100));
    FileStatus extended = co_await Try(file.Stat());
    EXPECT_EQ(extended.size, 100);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, ExclusiveCreationFailsWhereThereIsOne) {
  std::string path = Path("data");
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(File::Open(path, {.write = true, .create = true, .exclusive = true}));
    absl::StatusOr<File> again = co_await File::Open(path, {.write = true, .create = true, .exclusive = true});
    EXPECT_THAT(again, StatusIs(absl::StatusCode::kAlreadyExists));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, AMissingFileIsNotFoundAndNamed) {
  std::string path = Path("missing");
  auto body = [&]() -> Task<absl::Status> {
    absl::StatusOr<File> file = co_await File::Open(path);
    co_return file.status();
  };
  absl::Status status = Run(body());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing: No such file or directory")));
  EXPECT_EQ(ErrnoOf(status), ENOENT);
}

TEST_P(FileTest, ReadingIntoNothingIsRefusedAndWritingNothingIsFine) {
  std::string path = Path("data");
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    absl::StatusOr<size_t> read = co_await file.Read({});
    EXPECT_THAT(read, StatusIs(absl::StatusCode::kInvalidArgument));
    read = co_await file.ReadAt(0, {});
    EXPECT_THAT(read, StatusIs(absl::StatusCode::kInvalidArgument));
    co_await Try(file.WriteAllAt(5, ""));
    co_return co_await file.WriteAll("");
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, WritingToAFileOpenForReadingFails) {
  std::string path = Path("data");
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(File::Create(path));
    File file = co_await Try(File::Open(path));
    absl::Status status = co_await file.WriteAll("x");
    EXPECT_EQ(ErrnoOf(status), EBADF);
    EXPECT_EQ(BytesTransferred(status), 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(FileTest, UseAfterCloseFailsInsteadOfHittingAnotherFile) {
  std::string path = Path("data");
  std::string other = Path("other");
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    co_await Try(file.Close());
    // Takes the number that the first had.
    File second = co_await Try(File::Create(other));
    absl::Status status = co_await file.WriteAll("lost");
    EXPECT_EQ(ErrnoOf(status), EBADF);
    status = co_await file.Close();
    EXPECT_EQ(ErrnoOf(status), EBADF);
    FileStatus facts = co_await Try(second.Stat());
    EXPECT_EQ(facts.size, 0);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(FileTest);

// Pipes of the real system.

class PipeTest : public ::testing::TestWithParam<std::tuple<int, Backend>> {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(ends_, O_CLOEXEC | flags()), 0); }
  static int flags() { return std::get<int>(GetParam()); }
  Bench bench_{std::get<Backend>(GetParam())};
  int ends_[2];
};

// A descriptor that was inherited may be non-blocking; it is waited for all the same, and its flags stay as they are.
TEST_P(PipeTest, AReadWaitsForTheWriter) {
  auto body = [&]() -> Task<absl::Status> {
    File reader = co_await Try(File::Adopt(ends_[0]));
    File writer = co_await Try(File::Adopt(ends_[1]));
    EXPECT_EQ(reader.kind(), DescriptorKind::kPipe);
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      auto write = [&]() -> Task<absl::Status> {
        co_await Try(Sleep(absl::Milliseconds(5)));
        co_await Try(writer.WriteAll("late"));
        co_return co_await writer.Close();
      };
      group.Spawn(write());
      std::string text = co_await Try(ReadToEnd(reader));
      EXPECT_EQ(text, "late");
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(both));
    EXPECT_EQ(fcntl(reader.descriptor_number(), F_GETFL) & O_NONBLOCK, flags());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench_.Run(body()), IsOk());
}

TEST_P(PipeTest, AWriteOfMoreThanThePipeHoldsWaitsForTheReader) {
  std::string text = Pattern(3'000'000);
  auto body = [&]() -> Task<absl::Status> {
    File reader = co_await Try(File::Adopt(ends_[0]));
    File writer = co_await Try(File::Adopt(ends_[1]));
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      auto write = [&]() -> Task<absl::Status> {
        co_await Try(writer.WriteAll(text));
        co_return co_await writer.Close();
      };
      group.Spawn(write());
      std::string read = co_await Try(ReadToEnd(reader));
      EXPECT_TRUE(read == text);
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(both);
  };
  EXPECT_THAT(bench_.Run(body()), IsOk());
}

TEST_P(PipeTest, ATimeoutEndsAReadThatNobodyAnswers) {
  auto body = [&]() -> Task<absl::Status> {
    File reader = co_await Try(File::Adopt(ends_[0]));
    File writer = co_await Try(File::Adopt(ends_[1]));
    char buffer[8];
    absl::StatusOr<size_t> n = co_await WithTimeout(absl::Milliseconds(5), reader.Read(buffer));
    EXPECT_THAT(n, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_await Try(writer.WriteAll("kept"));
    n = co_await reader.Read(buffer);
    EXPECT_THAT(n, IsOkAndHolds(4u));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench_.Run(body()), IsOk());
}

TEST_P(PipeTest, AFileIsSplicedIntoItAndWaitsForTheReader) {
  std::string path = ::testing::TempDir() + "/spliced";
  std::string text = Pattern(3'000'000);
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Create(path));
    co_await Try(file.WriteAllAt(0, text));
    File reader = co_await Try(File::Adopt(ends_[0]));
    File writer = co_await Try(File::Adopt(ends_[1]));
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      auto splice = [&]() -> Task<absl::Status> {
        while (co_await Try(file.SpliceTo(writer, text.size())) > 0) {
        }
        co_return co_await writer.Close();
      };
      group.Spawn(splice());
      std::string read = co_await Try(ReadToEnd(reader));
      EXPECT_TRUE(read == text);
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(both);
  };
  EXPECT_THAT(bench_.Run(body()), IsOk());
  unlink(path.c_str());
}

std::string PipeTestName(const ::testing::TestParamInfo<std::tuple<int, Backend>>& info) {
  return BackendName(std::get<Backend>(info.param));
}
INSTANTIATE_TEST_SUITE_P(Blocking, PipeTest,
                         ::testing::Combine(::testing::Values(0), ::testing::ValuesIn(kRealBackends)), PipeTestName);
INSTANTIATE_TEST_SUITE_P(NonBlocking, PipeTest,
                         ::testing::Combine(::testing::Values(O_NONBLOCK), ::testing::ValuesIn(kRealBackends)),
                         PipeTestName);

}  // namespace
}  // namespace proactor
