// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/open.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "proactor/blocking_pool.h"
#include "proactor/cancellation.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class OpenTest : public OperationTest {
 protected:
  OpenOp Open(const std::string& path, int flags, mode_t mode = 0600) {
    return {.system = &system(), .path = path.c_str(), .flags = flags, .mode = mode};
  }
};

TEST_P(OpenTest, CreatesWithTheModeAndTheFlags) {
  std::string path = Path("made");
  {
    absl::StatusOr<OwnedDescriptor> file = Await(Open(path, O_WRONLY | O_CREAT | O_EXCL, 0640));
    ASSERT_THAT(file, IsOk());
    struct statx facts;
    ASSERT_EQ(system().Stat((*file)->number, STATX_BASIC_STATS, &facts), 0);
    EXPECT_EQ(facts.stx_mode, S_IFREG | 0640);
    WriteNow(*file, "0123456789");
    char buffer[1];
    EXPECT_EQ(system().Read((*file)->number, buffer, 1, 0), -EBADF) << "it was not opened for reading";
    if (!simulated()) {
      EXPECT_NE(fcntl((*file)->number, F_GETFD) & FD_CLOEXEC, 0);
    }
  }
  EXPECT_THAT(Await(Open(path, O_WRONLY | O_CREAT | O_EXCL)),
              StatusIs(absl::StatusCode::kAlreadyExists, "open: File exists"));
  absl::StatusOr<OwnedDescriptor> emptied = Await(Open(path, O_RDWR | O_TRUNC));
  ASSERT_THAT(emptied, IsOk());
  struct statx facts;
  ASSERT_EQ(system().Stat((*emptied)->number, STATX_BASIC_STATS, &facts), 0);
  EXPECT_EQ(facts.stx_size, 0u);
}

TEST_P(OpenTest, WhatIsNotThereOrNotADirectoryIsAnError) {
  EXPECT_THAT(Await(Open(Path("missing"), O_RDONLY)),
              StatusIs(absl::StatusCode::kNotFound, "open: No such file or directory"));
  EXPECT_EQ(ErrnoOf(Await(Open("", O_RDONLY)).status()), ENOENT);
  OwnedDescriptor file = MakeFile("file", "");
  EXPECT_EQ(ErrnoOf(Await(Open(Path("file"), O_RDONLY | O_DIRECTORY)).status()), ENOTDIR);
}

TEST_P(OpenTest, RunningOutOfDescriptorsIsAnError) {
  OwnedDescriptor file = MakeFile("file", "");
  std::string path = Path("file");
  absl::StatusOr<OwnedDescriptor> second = Await(Open(path, O_RDONLY));
  EXPECT_THAT(second, IsOk());
  {
    std::optional<NoMoreDescriptors> none_left;
    if (simulated()) {
      simulation().FailNext(SimulatedCall::kOpen, EMFILE);
    } else {
      none_left.emplace();
    }
    second = Await(Open(path, O_RDONLY));
  }
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kResourceExhausted, "open: Too many open files"));
  EXPECT_THAT(Await(Open(path, O_RDONLY)), IsOk());
}

TEST_P(OpenTest, ACancelledScopeCreatesNothing) {
  std::string path = Path("made");
  EXPECT_THAT(AwaitInCancelledScope(Open(path, O_RDWR | O_CREAT)), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(ErrnoOf(Await(Open(path, O_RDONLY)).status()), ENOENT);
}

TEST(OpenOpTest, InterruptionsDoNotReachTheUser) {
  SimulatedWorld world;
  world.system().WriteFile("file", "");
  world.system().FailNext(SimulatedCall::kOpen, EINTR, 5);
  auto body = [&]() -> Task<absl::Status> {
    absl::StatusOr<OwnedDescriptor> file =
        co_await MakeOperation(OpenOp{.system = &world.system(), .path = "file", .flags = O_RDONLY});
    co_return file.status();
  };
  EXPECT_THAT(world.Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(OpenTest);

// What only a real file system has.
class RealOpenTest : public OpenTest {};

TEST_P(RealOpenTest, ADirectoryIsNotOpenedForWriting) {
  EXPECT_EQ(ErrnoOf(Await(Open(::testing::TempDir(), O_WRONLY)).status()), EISDIR);
}

TEST_P(RealOpenTest, ASymbolicLinkIsNotFollowedAgainstTheFlags) {
  std::string path = Path("link");
  ASSERT_EQ(symlink("elsewhere", path.c_str()), 0);
  EXPECT_EQ(ErrnoOf(Await(Open(path, O_RDONLY | O_NOFOLLOW)).status()), ELOOP);
}

// The kernel tries with O_NONBLOCK first, which is how a reader would get a FIFO that nobody writes to and so is at its
// end, and a writer ENXIO.
TEST_P(RealOpenTest, AFifoIsOpenWhenBothEndsAre) {
  std::string path = Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  absl::StatusOr<OwnedDescriptor> reader, writer;
  auto open_writer = [&]() -> Task<absl::Status> {
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_FALSE(reader.ok()) << "it did not wait";
    writer = co_await MakeOperation(Open(path, O_WRONLY));
    co_return writer.status();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(open_writer());
    reader = co_await MakeOperation(Open(path, O_RDONLY));
    co_return reader.status();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(writer, IsOk());
}

INSTANTIATE_ON_REAL_BACKENDS(RealOpenTest);

class IoUringOpenTest : public OpenTest {};

TEST_P(IoUringOpenTest, AFifoWhoseOtherEndNobodyOpensIsWaitedForUntilCancelled) {
  if (!scheduler().proactor().capabilities().Has(Feature::kOpenAt)) {
    GTEST_SKIP() << "openat is disabled: a thread of the pool opens files, which nothing interrupts";
  }
  std::string path = Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (int flags : {O_RDONLY, O_WRONLY}) {
    EXPECT_THAT(AwaitWithTimeout(absl::Milliseconds(20), Open(path, flags)),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
  }
}

INSTANTIATE_ON_BACKENDS(IoUringOpenTest, ::testing::Values(Backend::kIoUring));

class EpollOpenTest : public OpenTest {};

// Invariant 4: nothing interrupts a thread that is in open(2), so it delays its scope, and what it got is delivered.
TEST_P(EpollOpenTest, AFifoWhoseOtherEndNobodyOpensDelaysItsScope) {
  std::string path = Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    bool ended = false;
    CancelScope opening(co_await CurrentContext());
    auto cancel_and_open_other_end = [&]() -> Task<absl::Status> {
      BlockingPool& pool = BlockingPool::Shared();
      // What no thread has taken yet would not be delayed.
      do {
        co_await Try(Sleep(absl::Milliseconds(1)));
      } while (pool.waiting_jobs() > 0 || pool.threads() == pool.idle_threads());
      opening.Cancel();
      co_await Try(Sleep(absl::Milliseconds(1)));
      EXPECT_FALSE(ended);
      int writer;
      // Until that thread is in open(2).
      while ((writer = open(path.c_str(), O_WRONLY | O_NONBLOCK)) < 0) co_await Try(Sleep(absl::Milliseconds(1)));
      close(writer);
      co_return absl::OkStatus();
    };
    group.Spawn(cancel_and_open_other_end());
    absl::StatusOr<OwnedDescriptor> reader =
        co_await internal::InScope(opening, MakeOperation(Open(path, O_RDONLY)));
    ended = true;
    EXPECT_THAT(reader, IsOk());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_BACKENDS(EpollOpenTest, ::testing::Values(Backend::kEpoll));

}  // namespace
}  // namespace proactor
