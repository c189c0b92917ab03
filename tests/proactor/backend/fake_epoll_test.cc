// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_epoll.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/backend/epoll_proactor.h"
#include "proactor/fs/file.h"
#include "proactor/log.h"
#include "proactor/net/tcp.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/fake_epoll_world.h"

namespace proactor {
namespace {

class FakeEpollTest : public ::testing::Test {
 protected:
  FakeEpollTest() { std::tie(reader_, writer_) = system_.MakePipe(); }

  int Add(FakeEpoll& kernel, int epoll, int fd, uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) {
    epoll_event event = {.events = events, .data = {.fd = fd}};
    return kernel.Control(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  // What there is to report now, of one descriptor at most.
  std::pair<int, uint32_t> Next(FakeEpoll& kernel, int epoll) {
    epoll_event event = {};
    timespec at_once = {};
    int count = kernel.Wait(epoll, &event, 1, &at_once);
    if (count != 1) return {-1, 0};
    return {int{event.data.fd}, uint32_t{event.events}};
  }

  SimulatedSystem system_{{.short_transfers = false, .interruptions = false}};
  int reader_, writer_;
};

using Reported = std::pair<int, uint32_t>;
const Reported kNothing = {-1, 0};

TEST_F(FakeEpollTest, ReportsEdgesAndNothingElse) {
  FakeEpoll kernel(system_);
  int epoll = kernel.Create();
  EXPECT_EQ(Add(kernel, epoll, reader_), 0);
  EXPECT_EQ(Next(kernel, epoll), kNothing);
  EXPECT_EQ(system_.Write(writer_, "one", 3, -1), 3);
  EXPECT_EQ(Next(kernel, epoll), Reported(reader_, EPOLLIN));
  EXPECT_EQ(Next(kernel, epoll), kNothing) << "though it is readable";
  EXPECT_EQ(system_.Write(writer_, "two", 3, -1), 3);
  EXPECT_EQ(Next(kernel, epoll), Reported(reader_, EPOLLIN));
  char buffer[8];
  EXPECT_EQ(system_.Write(writer_, "!", 1, -1), 1);
  EXPECT_EQ(system_.Read(reader_, buffer, 8, -1), 7);
  EXPECT_EQ(Next(kernel, epoll), kNothing) << "for nothing is left of what woke it";
  system_.Close(writer_);
  EXPECT_EQ(Next(kernel, epoll), Reported(reader_, EPOLLHUP));
}

TEST_F(FakeEpollTest, WhatIsSoAlreadyIsReported) {
  FakeEpoll kernel(system_);
  int epoll = kernel.Create();
  EXPECT_EQ(Add(kernel, epoll, writer_), 0);
  EXPECT_EQ(Next(kernel, epoll), Reported(writer_, EPOLLOUT));
}

TEST_F(FakeEpollTest, RefusesWhatLinuxRefuses) {
  FakeEpoll kernel(system_);
  int epoll = kernel.Create();
  system_.WriteFile("file", "");
  EXPECT_EQ(Add(kernel, epoll, system_.Open("file", O_RDONLY, 0)), -EPERM);
  EXPECT_EQ(Add(kernel, epoll, 12345), -EBADF);
  EXPECT_EQ(Add(kernel, epoll, reader_), 0);
  EXPECT_EQ(Add(kernel, epoll, reader_), -EEXIST);
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_DEL, reader_, nullptr), 0);
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_DEL, reader_, nullptr), -ENOENT);
  kernel.FailToAdd(ENOSPC, 1);
  EXPECT_EQ(Add(kernel, epoll, reader_), -ENOSPC);
  EXPECT_EQ(Add(kernel, epoll, reader_), 0);
  EXPECT_EQ(kernel.watched(), 1u);
  kernel.Close(epoll);
  EXPECT_EQ(Add(kernel, epoll, reader_), -EBADF);
}

TEST_F(FakeEpollTest, TimeJumpsToTheEndOfAWait) {
  FakeEpoll kernel(system_);
  int epoll = kernel.Create();
  epoll_event event;
  MonotonicTime before = system_.clock().Now();
  timespec time = {2, 1};
  EXPECT_EQ(kernel.Wait(epoll, &event, 1, &time), 0);
  EXPECT_EQ(system_.clock().Now() - before, absl::Seconds(2) + absl::Nanoseconds(1));
  EXPECT_EQ(kernel.WaitMilliseconds(epoll, &event, 1, 7), 0);
  EXPECT_EQ(system_.clock().Now() - before, absl::Milliseconds(2007) + absl::Nanoseconds(1));
  int deadlocks = 0;
  kernel.OnDeadlock([&] { ++deadlocks; });
  EXPECT_EQ(kernel.WaitMilliseconds(epoll, &event, 1, -1), -EINTR);
  EXPECT_EQ(deadlocks, 1);
}

TEST_F(FakeEpollTest, AnOldKernelHasNoNanoseconds) {
  FakeEpoll kernel(system_, {.knows_nanoseconds = false});
  int epoll = kernel.Create();
  epoll_event event;
  EXPECT_EQ(kernel.Wait(epoll, &event, 1, nullptr), -ENOSYS);
}

TEST_F(FakeEpollTest, EverythingThatMayHappenDoes) {
  FakeEpoll kernel(system_, FakeEpollOptions::EveryFault());
  int epoll = kernel.Create();
  int client = system_.Socket(AF_INET, SOCK_STREAM, 0);  // Ready to be written to, and hung up.
  EXPECT_EQ(Add(kernel, epoll, client), 0);
  EXPECT_EQ(Add(kernel, epoll, reader_), 0);
  std::set<int> counts;
  std::set<uint32_t> of_the_pipe, of_the_socket;
  for (int i = 0; i < 1000; ++i) {
    epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = client}};
    EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_MOD, client, &wanted), 0);
    epoll_event events[2];
    timespec soon = {0, 1};
    int count = kernel.Wait(epoll, events, 2, &soon);
    counts.insert(count);
    for (int j = 0; j < count; ++j) {
      (events[j].data.fd == client ? of_the_socket : of_the_pipe).insert(events[j].events);
    }
  }
  EXPECT_EQ(counts, (std::set<int>{-EINTR, 1, 2}));
  EXPECT_EQ(of_the_pipe, (std::set<uint32_t>{EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT})) << "none of which is so";
  EXPECT_TRUE(of_the_socket.contains(EPOLLHUP));
  EXPECT_TRUE(of_the_socket.contains(EPOLLOUT));
  EXPECT_TRUE(of_the_socket.contains(EPOLLOUT | EPOLLHUP));
}

TEST(FakeEpollDeathTest, ClosingWhatIsWatchedIsFatal) {
  SimulatedSystem system;
  FakeEpoll kernel(system);
  int epoll = kernel.Create();
  auto [reader, writer] = system.MakePipe();
  epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.fd = reader}};
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_ADD, reader, &event), 0);
  system.Close(reader);
  EXPECT_DEATH(kernel.WaitMilliseconds(epoll, &event, 1, 0), "was closed while epoll watches it");
}

// --- The real proactor, where there is no room to watch. ---

Task<absl::Status> ReadsLate(FakeEpoll& kernel, int error) {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(80)));
  TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(80)));
  TcpStream server = co_await Try(listener.Accept());
  char buffer[16];
  kernel.FailToAdd(error, 2);
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<size_t> refused = co_await server.Read(buffer);
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  }
  // It goes on as if nothing had been asked.
  co_await Try(client.WriteAll("all of it"));
  std::string received;
  while (received.size() < 9) {
    size_t n = co_await Try(server.Read(buffer));
    received.append(buffer, n);
  }
  EXPECT_EQ(received, "all of it");
  absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Seconds(1), server.Read(buffer));
  EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded)) << "watched, by now";
  co_return absl::OkStatus();
}

TEST(EpollOverFakeTest, WithoutRoomToWatchAWaitFailsAndSaysWhatToDo) {
  static std::string log;
  LogSink before = SetLogSink([](LogSeverity, std::string_view line) { log += line; });
  for (auto [error, remedy] : {std::pair(ENOSPC, "fs.epoll.max_user_watches"), std::pair(ENOMEM, "more memory")}) {
    log.clear();
    SimulatedSystem system;
    FakeEpoll kernel(system);
    Scheduler scheduler(*EpollProactor::Create(kernel));
    EXPECT_THAT(scheduler.Run(ReadsLate(kernel, error)), IsOk());
    EXPECT_NE(log.find(remedy), std::string::npos) << log;
    size_t line = log.find("epoll cannot watch descriptor");
    EXPECT_NE(line, std::string::npos) << log;
    EXPECT_EQ(log.find("epoll cannot watch descriptor", line + 1), std::string::npos) << "it is said once: " << log;
  }
  SetLogSink(std::move(before));
}

// --- The real proactor, and reports that are not what they seem. ---

// All that a stream takes without waiting, by a call of the test's own.
void Fill(SimulatedSystem& system, const TcpStream& stream) {
  while (system.Send(stream.descriptor_number(), "filling", 7) > 0) continue;
}

void Drain(SimulatedSystem& system, const TcpStream& stream) {
  char buffer[4096];
  while (system.Receive(stream.descriptor_number(), buffer, sizeof(buffer)) > 0) continue;
}

TEST(EpollOverFakeTest, AReportOfBothDirectionsIsForTheReaderAndTheWriter) {
  auto world = MakeFakeEpollWorld({.short_transfers = false, .interruptions = false}, {});
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(80)));
    TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(80)));
    TcpStream server = co_await Try(listener.Accept());
    Fill(world->system(), server);
    char buffer[16];
    auto read = [&]() -> Task<absl::Status> { co_return (co_await server.Read(buffer)).status(); };
    auto write = [&]() -> Task<absl::Status> { co_return co_await server.WriteAll("more"); };
    group.Spawn(read());
    group.Spawn(write());
    co_await Try(Sleep(absl::Milliseconds(1)));
    Drain(world->system(), client);
    EXPECT_EQ(world->system().Send(client.descriptor_number(), "x", 1), 1);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world->Run(WithTaskGroup(body)), IsOk());
}

// One report says both, and the read that takes the bytes is a short one: that must not hide the end behind them.
TEST(EpollOverFakeTest, TheEndThatIsReportedTogetherWithTheLastBytesIsReadAfterThem) {
  auto world = MakeFakeEpollWorld({.short_transfers = false, .interruptions = false}, {});
  auto body = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(80)));
    TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(80)));
    TcpStream server = co_await Try(listener.Accept());
    auto finish = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(1)));  // The reader waits by now.
      EXPECT_EQ(world->system().Send(client.descriptor_number(), "end", 3), 3);
      co_return client.Shutdown(ShutdownHow::kWrite);
    };
    auto read = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(finish());
      char buffer[16];
      size_t n = co_await Try(server.Read(buffer));
      EXPECT_EQ(std::string_view(buffer, n), "end");
      n = co_await Try(server.Read(buffer));
      EXPECT_EQ(n, 0u);
      co_return co_await server.WriteAll("still open this way");
    };
    co_return co_await WithTaskGroup(read);
  };
  EXPECT_THAT(world->Run(WithTimeout(absl::Seconds(1), body())), IsOk());
}

// A read that has filled its buffer, and an answer: the next is tried behind whoever is ready, who may have it ended.
TEST(EpollOverFakeTest, AReadThatIsTriedLaterEndsWithItsScopeAndItsDescriptor) {
  for (const bool closes : {false, true}) {
    auto world = MakeFakeEpollWorld({.short_transfers = false, .interruptions = false}, {});
    auto body = [&]() -> Task<absl::Status> {
      TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(80)));
      TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(80)));
      TcpStream server = co_await Try(listener.Accept());
      auto end = [&](TaskGroup& group) -> Task<absl::Status> {
        EXPECT_EQ(world->system().Send(client.descriptor_number(), "next", 4), 4);
        if (closes) co_return co_await server.Close();
        group.Cancel("enough");
        co_return absl::OkStatus();
      };
      absl::StatusOr<size_t> later = absl::UnknownError("not read");
      auto read = [&](TaskGroup& group) -> Task<absl::Status> {
        char buffer[4];
        co_await Try(server.Read(buffer));
        co_await Try(server.WriteAll("answer"));
        group.Spawn(end(group));
        later = co_await server.Read(buffer);
        co_return absl::OkStatus();
      };
      auto send = [&]() -> Task<absl::Status> {
        co_await Try(Sleep(absl::Milliseconds(1)));  // The reader waits by now, and is watched.
        EXPECT_EQ(world->system().Send(client.descriptor_number(), "full", 4), 4);
        co_return absl::OkStatus();
      };
      auto both = [&](TaskGroup& group) -> Task<absl::Status> {
        group.Spawn(send());
        co_return co_await WithTaskGroup(read);
      };
      (co_await WithTaskGroup(both)).IgnoreError();
      EXPECT_THAT(later, StatusIs(absl::StatusCode::kCancelled));
      if (closes) co_return absl::OkStatus();
      char buffer[16];
      size_t n = co_await Try(server.Read(buffer));
      EXPECT_EQ(std::string_view(buffer, n), "next") << "nothing is lost";
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world->Run(WithTimeout(absl::Seconds(1), body())), IsOk());
  }
}

TEST(EpollOverFakeTest, AWrongReportEndsNoWait) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    auto world = MakeFakeEpollWorld({.seed = seed}, {.pipes_know_nowait = seed % 2 == 0, .spurious = 2});
    auto body = [&]() -> Task<absl::Status> {
      TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(80)));
      TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(80)));
      TcpStream server = co_await Try(listener.Accept());
      auto [reader, writer] = world->system().MakePipe();
      File pipe = co_await Try(File::Adopt(reader));
      char buffer[16];
      absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Seconds(1), server.Read(buffer));
      EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
      nothing = co_await WithTimeout(absl::Seconds(1), pipe.Read(buffer));
      EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
      world->system().Close(writer);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world->Run(body()), IsOk());
  }
}

}  // namespace
}  // namespace proactor
