// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/epoll_proactor.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/net/tcp.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/recv.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

// Two ends of one connection: one of the library, and one that the test works with by hand.
struct Ends {
  TcpStream stream;
  int peer = -1;
};

Task<absl::StatusOr<Ends>> Connected() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  Ends ends;
  ends.peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(ends.peer, address.data(), address.size()) < 0) co_return ErrnoToStatus(errno, "connect");
  ends.stream = co_await Try(listener.Accept());
  co_return ends;
}

// How many descriptors the kernel watches for this process's epolls, by its own account (proc_pid_fdinfo(5)).
int WatchedByTheKernel() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string line; std::getline(info, line);) count += line.starts_with("tfd:") ? 1 : 0;
  }
  return count;
}

class EpollProactorTest : public ::testing::Test {
 protected:
  EpollProactorTest() : scheduler_(*EpollProactor::Create()) {}

  Scheduler scheduler_;
};

// The trap of edges: one that comes while nobody waits is reported once, and never again.
TEST_F(EpollProactorTest, AnEdgeBeforeTheReadIsNotForgotten) {
  auto body = []() -> Task<absl::Status> {
    Ends ends = co_await Try(Connected());
    char buffer[16];
    // Registers, and leaves the descriptor known to be drained.
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends.stream.Read(buffer));
    EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(write(ends.peer, "edge", 4), 4);
    co_await Try(Sleep(absl::Milliseconds(2)));  // The edge is taken in these turns, with no operation in the slot.
    absl::StatusOr<size_t> n = co_await WithTimeout(absl::Seconds(10), ends.stream.Read(buffer));
    EXPECT_THAT(n, IsOkAndHolds(4u));
    close(ends.peer);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// A reader that takes its share and goes away gets no second edge for what it left.
TEST_F(EpollProactorTest, WhatAShortReaderLeftIsReadWithoutAnotherEdge) {
  auto body = []() -> Task<absl::Status> {
    Ends ends = co_await Try(Connected());
    char buffer[1];
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends.stream.Read(buffer));
    EXPECT_FALSE(nothing.ok());
    std::string sent(1000, 'x');
    EXPECT_EQ(write(ends.peer, sent.data(), sent.size()), 1000);
    for (size_t i = 0; i < sent.size(); ++i) {
      absl::StatusOr<size_t> n = co_await WithTimeout(absl::Seconds(10), ends.stream.Read(buffer));
      EXPECT_THAT(n, IsOkAndHolds(1u));
      if (i % 100 == 0) co_await Try(Sleep(absl::Milliseconds(1)));
    }
    close(ends.peer);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// A read that has filled its buffer lets others go first, after a write. It does so once, however much they write.
TEST_F(EpollProactorTest, WhoWritesWithoutRestDoesNotKeepTheReaderFromReading) {
  auto body = []() -> Task<absl::Status> {
    Ends ends = co_await Try(Connected());
    char buffer[1];
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends.stream.Read(buffer));
    EXPECT_FALSE(nothing.ok());
    bool stopped = false;
    int written = 0;
    auto feed = [&]() -> Task<absl::Status> {
      char drained[4096];
      for (; written < 100'000 && !stopped; ++written) {
        co_await Try(ends.stream.WriteAll("news"));
        EXPECT_EQ(read(ends.peer, drained, sizeof(drained)), 4);
      }
      co_return absl::OkStatus();
    };
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(feed());
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(write(ends.peer, "x", 1), 1);
        size_t n = co_await Try(ends.stream.Read(buffer));
        EXPECT_EQ(n, 1u);
      }
      stopped = true;
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(both));
    EXPECT_LT(written, 20'000) << "what fits into a turn or two (ready_queue.h)";
    close(ends.peer);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

TEST_F(EpollProactorTest, AHalfCloseWithBytesBeforeItLosesNeither) {
  auto body = []() -> Task<absl::Status> {
    Ends ends = co_await Try(Connected());
    char buffer[16];
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends.stream.Read(buffer));
    EXPECT_FALSE(nothing.ok());
    EXPECT_EQ(write(ends.peer, "last", 4), 4);
    shutdown(ends.peer, SHUT_WR);
    co_await Try(Sleep(absl::Milliseconds(2)));
    // The read is short, and yet there is something left: the end, of which no edge will tell.
    size_t n = co_await Try(ends.stream.Read(buffer));
    EXPECT_EQ(n, 4u);
    absl::StatusOr<size_t> end = co_await WithTimeout(absl::Seconds(10), ends.stream.Read(buffer));
    EXPECT_THAT(end, IsOkAndHolds(0u));
    // The other direction is alive.
    co_await Try(ends.stream.WriteAll("answer"));
    EXPECT_EQ(read(ends.peer, buffer, sizeof(buffer)), 6);
    close(ends.peer);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

TEST_F(EpollProactorTest, AResetEndsBothTheReaderAndTheWriter) {
  auto body = []() -> Task<absl::Status> {
    Ends ends = co_await Try(Connected());
    absl::Status read_status = absl::UnknownError("not ended"), write_status;
    std::string much(50'000'000, 'x');
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      auto read = [&]() -> Task<absl::Status> {
        char buffer[16];
        read_status = (co_await ends.stream.Read(buffer)).status();
        co_return absl::OkStatus();
      };
      auto write = [&]() -> Task<absl::Status> {
        write_status = co_await ends.stream.WriteAll(much);
        co_return absl::OkStatus();
      };
      group.Spawn(read());
      group.Spawn(write());
      co_await Try(Sleep(absl::Milliseconds(5)));
      linger abort = {1, 0};
      setsockopt(ends.peer, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
      close(ends.peer);
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(both));
    // The error belongs to whoever asks first; the other finds the end.
    if (ErrnoOf(read_status) == ECONNRESET) {
      EXPECT_EQ(ErrnoOf(write_status), EPIPE);
    } else {
      EXPECT_EQ(ErrnoOf(write_status), ECONNRESET);
      EXPECT_THAT(read_status, IsOk());
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// Reports for both are in one batch; the first that is resumed closes the other, whose number is then used again.
TEST_F(EpollProactorTest, ANumberUsedAgainInTheSameTurnGetsNoReportOfItsForebear) {
  auto body = []() -> Task<absl::Status> {
    for (int i = 0; i < 50; ++i) {
      Ends first = co_await Try(Connected());
      Ends second = co_await Try(Connected());
      int number = second.stream.descriptor_number();
      char buffer[16];
      for (Ends* ends : {&first, &second}) {
        absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends->stream.Read(buffer));
        EXPECT_FALSE(nothing.ok());
      }
      EXPECT_EQ(write(first.peer, "1", 1), 1);
      EXPECT_EQ(write(second.peer, "2", 1), 1);
      size_t n = co_await Try(first.stream.Read(buffer));
      EXPECT_EQ(n, 1u);
      second.stream = TcpStream();
      Ends third = co_await Try(Connected());
      if (third.stream.descriptor_number() != number && third.peer != number) ADD_FAILURE() << "not used again";
      absl::StatusOr<size_t> none = co_await WithTimeout(absl::Milliseconds(1), third.stream.Read(buffer));
      EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
      EXPECT_EQ(write(third.peer, "3", 1), 1);
      absl::StatusOr<size_t> one = co_await WithTimeout(absl::Seconds(10), third.stream.Read(buffer));
      EXPECT_THAT(one, IsOkAndHolds(1u));
      for (int peer : {first.peer, second.peer, third.peer}) close(peer);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// epoll watches the open file: closing one of two descriptors of it does not end the reports.
TEST_F(EpollProactorTest, ADuplicateThatOutlivesTheStreamReportsToNobody) {
  auto body = []() -> Task<absl::Status> {
    Ends ends = co_await Try(Connected());
    char buffer[16];
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends.stream.Read(buffer));
    EXPECT_FALSE(nothing.ok());
    int duplicate = dup(ends.stream.descriptor_number());
    int watched = WatchedByTheKernel();
    ends.stream = TcpStream();
    EXPECT_EQ(WatchedByTheKernel(), watched - 1);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(write(ends.peer, "x", 1), 1);
      co_await Try(Sleep(absl::Milliseconds(1)));
    }
    Ends other = co_await Try(Connected());
    EXPECT_EQ(write(other.peer, "other", 5), 5);
    size_t n = co_await Try(other.stream.Read(buffer));
    EXPECT_EQ(n, 5u);
    for (int number : {duplicate, ends.peer, other.peer}) close(number);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

TEST_F(EpollProactorTest, AStreamMayOutliveItsScheduler) {
  Ends ends;
  {
    Scheduler scheduler(*EpollProactor::Create());
    auto body = [&]() -> Task<absl::Status> {
      ends = co_await Try(Connected());
      char buffer[16];
      absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), ends.stream.Read(buffer));
      EXPECT_FALSE(nothing.ok());
      co_return absl::OkStatus();
    };
    EXPECT_THAT(scheduler.Run(body()), IsOk());
  }
  // And goes on on another.
  auto body = [&]() -> Task<absl::Status> {
    EXPECT_EQ(write(ends.peer, "again", 5), 5);
    char buffer[16];
    absl::StatusOr<size_t> n = co_await WithTimeout(absl::Seconds(10), ends.stream.Read(buffer));
    EXPECT_THAT(n, IsOkAndHolds(5u));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
  close(ends.peer);
}

TEST_F(EpollProactorTest, ADescriptorIsNotWatchedByASchedulerThatIsGone) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  OwnedDescriptor socket(System::NonBlocking(), ends[0], DescriptorKind::kSocket);
  {
    Scheduler scheduler(*EpollProactor::Create());
    auto body = [&]() -> Task<absl::Status> {
      char buffer[1];
      absl::StatusOr<size_t> nothing = co_await WithTimeout(
          absl::Milliseconds(1), MakeOperation(RecvOp{.descriptor = socket.get(), .buffer = buffer}));
      EXPECT_FALSE(nothing.ok());
      co_return absl::OkStatus();
    };
    EXPECT_THAT(scheduler.Run(body()), IsOk());
    EXPECT_NE(socket->watcher, nullptr);
  }
  EXPECT_EQ(socket->watcher, nullptr);
  close(ends[1]);
}

// Before Linux 5.11 waits are in milliseconds: rounded up, or the time before a deadline would be spent spinning.
TEST(EpollProactorDeathTest, WithoutNanosecondsItIsNeverEarlyAndDoesNotSpin) {
  auto run = [] {
    if (!Install(Failing(SYS_epoll_pwait2, ENOSYS))) std::_Exit(2);
    Scheduler scheduler(*EpollProactor::Create());
    MonotonicTime begin = scheduler.Now();
    auto body = []() -> Task<absl::Status> {
      for (int i = 0; i < 10; ++i) co_await Try(Sleep(absl::Microseconds(300)));
      co_return absl::OkStatus();
    };
    if (!scheduler.Run(body()).ok()) std::_Exit(3);
    if (scheduler.Now() < begin + absl::Milliseconds(3)) std::_Exit(4);
    std::_Exit(scheduler.counters().turns.value() <= 50 ? 0 : 5);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

// Invariant 6: one wait per turn, and no spinning where a deadline is less than a millisecond away.
TEST_F(EpollProactorTest, WaitsOncePerTurnAndDoesNotSpinBeforeAShortDeadline) {
  auto body = []() -> Task<absl::Status> {
    for (int i = 0; i < 20; ++i) co_await Try(Sleep(absl::Microseconds(300)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
  EXPECT_LE(scheduler_.counters().waits.value(), scheduler_.counters().turns.value());
  EXPECT_LE(scheduler_.counters().turns.value(), 100);
}

// Standard input may be such a pipe, whose flags belong to whoever shares it.
TEST_F(EpollProactorTest, AnInheritedPipeKeepsItsFlagsAndHoldsNobodyUp) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  auto body = [&]() -> Task<absl::Status> {
    File reader = co_await Try(File::Adopt(ends[0]));
    char buffer[16];
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), reader.Read(buffer));
    EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(write(ends[1], "pipe", 4), 4);
    size_t n = co_await Try(reader.Read(buffer));
    EXPECT_EQ(n, 4u);
    EXPECT_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    close(ends[1]);
    absl::StatusOr<size_t> end = co_await reader.Read(buffer);
    EXPECT_THAT(end, IsOkAndHolds(0u));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// A terminal can be waited for, but not tried.
TEST_F(EpollProactorTest, ATerminalIsReadByAThreadOnceItIsReady) {
  int terminal, user;
  ASSERT_EQ(openpty(&terminal, &user, nullptr, nullptr, nullptr), 0);
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Adopt(user));
    EXPECT_EQ(file.kind(), DescriptorKind::kTerminal);
    char buffer[16];
    // Cancelled at once: no thread waits in a read.
    absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Milliseconds(1), file.Read(buffer));
    EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(write(terminal, "line\n", 5), 5);
    size_t n = co_await Try(file.Read(buffer));
    EXPECT_EQ(std::string(buffer, n), "line\n");
    co_return co_await file.WriteAll("echo");
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
  close(terminal);
}

TEST_F(EpollProactorTest, DevicesAndFilesOfTheKernelAreReadAsTheyAre) {
  auto body = []() -> Task<absl::Status> {
    char buffer[64];
    File null = co_await Try(File::Open("/dev/null", {.write = true}));
    absl::StatusOr<size_t> end = co_await null.Read(buffer);
    EXPECT_THAT(end, IsOkAndHolds(0u));
    co_await Try(null.WriteAll("gone"));
    File zero = co_await Try(File::Open("/dev/zero"));
    absl::StatusOr<size_t> zeros = co_await zero.Read(buffer);
    EXPECT_THAT(zeros, IsOkAndHolds(sizeof(buffer)));
    File version = co_await Try(File::Open("/proc/version"));
    size_t n = co_await Try(version.Read(buffer));
    EXPECT_EQ(std::string(buffer, 5), "Linux") << n;
    File full = co_await Try(File::Open("/dev/full", {.write = true}));
    absl::Status status = co_await full.WriteAll("x");
    EXPECT_EQ(ErrnoOf(status), ENOSPC);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// The loop goes on while a thread waits for the other end of a FIFO.
TEST_F(EpollProactorTest, AnOpenThatBlocksHoldsNobodyUp) {
  std::string path = ::testing::TempDir() + "/fifo";
  unlink(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    std::string received;
    auto read = [&]() -> Task<absl::Status> {
      File file = co_await Try(File::Open(path));
      char buffer[16];
      while (size_t n = co_await Try(file.Read(buffer))) received.append(buffer, n);
      co_return absl::OkStatus();
    };
    group.Spawn(read());
    for (int i = 0; i < 5; ++i) co_await Try(Sleep(absl::Milliseconds(1)));
    OpenOptions options = {.read = false, .write = true};
    File writer = co_await Try(File::Open(path, options));
    co_await Try(writer.WriteAll("through"));
    co_await Try(writer.Close());
    co_await group.Join();
    EXPECT_EQ(received, "through");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(WithTaskGroup(body)), IsOk());
}

// Invariant 7.
TEST_F(EpollProactorTest, APostFromAnotherThreadWakesIt) {
  int received = 0;
  std::thread sender;
  auto body = [&]() -> Task<absl::Status> {
    sender = std::thread([&] {
      for (int i = 0; i < 1000; ++i) scheduler_.Post([&] { ++received; });
    });
    while (received < 1000) co_await Try(Sleep(absl::Microseconds(100)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
  sender.join();
}

}  // namespace
}  // namespace proactor
