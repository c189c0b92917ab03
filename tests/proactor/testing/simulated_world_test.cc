// SPDX-License-Identifier: Apache-2.0
#include "proactor/testing/simulated_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/net/address.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[300];
  while (size_t n = co_await Try(stream.Read(buffer))) {
    co_await Try(stream.WriteAll({buffer, n}));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> Serve(TcpListener& listener, TaskGroup& group) {
  while (true) {
    TcpStream stream = co_await Try(listener.Accept());
    group.Spawn(Echo(std::move(stream)));
  }
}

// Sends `text` and reads it back, while noting what happened when.
Task<absl::Status> Talk(SocketAddress server, std::string text, std::vector<std::string>& events,
                        SimulatedWorld& world) {
  TcpStream stream = co_await Try(TcpStream::Connect(server));
  std::string echoed;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto send = [&]() -> Task<absl::Status> {
      co_await Try(stream.WriteAll(text));
      co_return stream.Shutdown(ShutdownHow::kWrite);
    };
    group.Spawn(send());
    char buffer[200];
    while (size_t n = co_await Try(stream.Read(buffer))) {
      echoed.append(buffer, n);
      events.push_back(absl::StrCat(text.substr(0, 1), n, "@", absl::FormatDuration(world.Elapsed())));
    }
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return echoed == text ? absl::OkStatus() : absl::DataLossError(echoed);
}

// Three clients at once. Yields what happened, in order.
std::vector<std::string> EchoForThree(SimulationOptions options) {
  SimulatedWorld world(options);
  std::vector<std::string> events;
  auto talk = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(7000)));
    auto serve = [&](TaskGroup& servers) -> Task<absl::Status> {
      servers.Spawn(Serve(listener, servers));
      auto clients = [&](TaskGroup& group) -> Task<absl::Status> {
        for (char name : {'a', 'b', 'c'}) {
          group.Spawn(Talk(SocketAddress::Loopback(7000), std::string(2000, name), events, world));
        }
        co_return absl::OkStatus();
      };
      absl::Status status = co_await WithTaskGroup(clients);
      servers.Cancel();
      co_return status;
    };
    co_return co_await WithTaskGroup(serve);
  };
  absl::Status status = world.Run(talk());
  EXPECT_THAT(status, IsOk());
  return events;
}

TEST(SimulatedWorldTest, EchoesOverTcpWhateverTheSeed) {
  for (uint64_t seed = 1; seed <= 50; ++seed) EchoForThree({.seed = seed});
}

TEST(SimulatedWorldTest, EchoesOverTcpThroughSmallBuffersAndLatency) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    EchoForThree({.seed = seed, .buffer_size = 100, .max_latency = absl::Milliseconds(10)});
  }
}

TEST(SimulatedWorldTest, TheSameSeedGivesTheSameRun) {
  std::set<std::vector<std::string>> runs;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::vector<std::string> run = EchoForThree({.seed = seed, .max_latency = absl::Milliseconds(10)});
    EXPECT_EQ(run, EchoForThree({.seed = seed, .max_latency = absl::Milliseconds(10)}));
    runs.insert(run);
  }
  EXPECT_EQ(runs.size(), 20) << "and another seed another run";
}

TEST(SimulatedWorldTest, YieldsTheResultOfAnyTask) {
  SimulatedWorld world;
  int number = world.Run([]() -> Task<int> { co_return 7; }());
  EXPECT_EQ(number, 7);
  absl::StatusOr<std::string> text = world.Run([]() -> Task<absl::StatusOr<std::string>> { co_return "hello"; }());
  EXPECT_THAT(text, IsOkAndHolds("hello"));
  world.Run([]() -> Task<void> { co_return; }());
}

TEST(SimulatedWorldTest, TimeJumps) {
  SimulatedWorld world;
  EXPECT_EQ(world.Elapsed(), absl::ZeroDuration());
  auto back_off = []() -> Task<absl::Status> {
    for (absl::Duration pause = absl::Seconds(1); pause <= absl::Seconds(4); pause *= 2) co_await Try(Sleep(pause));
    co_return absl::OkStatus();
  };
  absl::Status status = world.Run(back_off());
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1 + 2 + 4));
  status = world.Run(back_off());
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(14));
}

TEST(SimulatedWorldTest, WorldsAreIndependent) {
  SimulatedWorld one;
  SimulatedWorld two;
  one.system().WriteFile("file", "one");
  absl::Status status = two.Run([]() -> Task<absl::Status> { co_return co_await Sleep(absl::Seconds(3)); }());
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(one.Elapsed(), absl::ZeroDuration());
  EXPECT_EQ(two.system().ReadFile("file"), std::nullopt);
}

Task<absl::Status> ReadFromNobody() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(7000)));
  TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(7000)));
  TcpStream server = co_await Try(listener.Accept());
  char buffer[10];
  absl::StatusOr<size_t> n = co_await client.Read(buffer);
  co_return n.status();
}

TEST(SimulatedWorldTest, ADeadlockFailsTheTestWithWhoWaitsForWhat) {
  SimulatedWorld world;
  absl::Status status;
  EXPECT_NONFATAL_FAILURE(status = world.Run(ReadFromNobody()), "Deadlock: everything waits");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
}

TEST(SimulatedWorldTest, TheDumpOfADeadlockNamesCoroutineLineAndOperation) {
  SimulatedWorld world;
  EXPECT_NONFATAL_FAILURE(static_cast<void>(world.Run(ReadFromNobody())), "ReadFromNobody (simulated_world_test.cc:");
  SimulatedWorld other;
  EXPECT_NONFATAL_FAILURE(static_cast<void>(other.Run(ReadFromNobody())), "waits for recv on descriptor 4");
}

TEST(SimulatedWorldTest, FailuresNameTheSeed) {
  SimulatedWorld world({.seed = 77});
  EXPECT_NONFATAL_FAILURE(ADD_FAILURE() << "anything", ".seed = 77");
}

TEST(SimulatedWorldTest, WaitingForeverWithATimeoutIsNoDeadlock) {
  SimulatedWorld world;
  absl::Status status = world.Run(WithTimeout(absl::Hours(1), ReadFromNobody()));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(world.Elapsed(), absl::Hours(1));
}

TEST(SimulatedWorldDeathTest, ADeadlockThatResistsCancellationEndsTheProcess) {
  EXPECT_DEATH(
      {
        SimulatedWorld world;
        static_cast<void>(world.Run(Shield(ReadFromNobody())));
      },
      "A deadlock in the simulation, though everything is cancelled(.|\n)*waits for recv on descriptor 4");
}

TEST(SimulatedWorldTest, ADescriptorLeftOpenFailsTheTest) {
  EXPECT_NONFATAL_FAILURE(
      {
        SimulatedWorld world;
        EXPECT_EQ(world.system().MakePipe().first, 3);
      },
      "3: pipe to read from\n4: pipe to write to\n");
}

TEST(SimulatedWorldTest, DescriptorsMayBeLeftOpenOnPurpose) {
  SimulatedWorld world;
  world.system().MakePipe();
  world.AllowOpenDescriptors();
}

TEST(SimulatedWorldTest, TheEndCancelsWhatIsLeft) {
  absl::Status end;
  auto wait = [&]() -> Task<absl::Status> {
    end = co_await ReadFromNobody();
    co_return end;
  };
  {
    SimulatedWorld world;
    world.scheduler().Spawn(wait(), "left over");
    absl::Status status = world.Run([]() -> Task<absl::Status> { co_return co_await Sleep(absl::Seconds(1)); }());
    EXPECT_THAT(status, IsOk());
  }
  EXPECT_THAT(end, StatusIs(absl::StatusCode::kCancelled));
}

Task<absl::Status> CopyInputToOutput() {
  File input = co_await Try(File::StandardInput());
  File output = co_await Try(File::StandardOutput());
  char buffer[16];
  while (size_t n = co_await Try(input.Read(buffer))) {
    co_await Try(output.WriteAll({buffer, n}));
  }
  co_return absl::OkStatus();
}

TEST(SimulatedWorldTest, StandardInputComesFromTheTest) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed});
    world.system().SetStandardInput("to be copied, in parts");
    absl::Status status = world.Run(CopyInputToOutput());
    EXPECT_THAT(status, IsOk());
    EXPECT_EQ(world.system().standard_output(), "to be copied, in parts");
  }
}

TEST(SimulatedWorldTest, StandardInputCanComeLater) {
  SimulatedWorld world;
  auto type = [&]() -> Task<absl::Status> {
    world.system().FeedStandardInput("first ");
    co_await Try(Sleep(absl::Seconds(5)));
    world.system().FeedStandardInput("second");
    co_await Try(Sleep(absl::Seconds(5)));
    world.system().EndStandardInput();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(CopyInputToOutput());
    co_return co_await type();
  };
  absl::Status status = world.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(world.system().standard_output(), "first second");
  EXPECT_EQ(world.Elapsed(), absl::Seconds(10));
}

Task<absl::Status> WriteFile(std::string path, std::string text) {
  File file = co_await Try(File::Create(path));
  co_await Try(file.WriteAll(text));
  co_await Try(file.Sync());
  co_return co_await file.Close();
}

TEST(SimulatedWorldTest, FilesAreWhatProgramsWrote) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed, .max_latency = absl::Milliseconds(1)});
    std::string text(10'000, 'x');
    absl::Status status = world.Run(WriteFile("file", text));
    EXPECT_THAT(status, IsOk());
    EXPECT_EQ(world.system().ReadFile("file"), text);
  }
}

TEST(SimulatedWorldTest, AFullDiskSaysHowFarItGot) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed, .disk_size = 3000});
    absl::Status status = world.Run(WriteFile("file", std::string(10'000, 'x')));
    EXPECT_EQ(ErrnoOf(status), ENOSPC);
    EXPECT_EQ(BytesTransferred(status), 3000);
    EXPECT_EQ(world.system().ReadFile("file")->size(), 3000);
  }
}

TEST(SimulatedWorldTest, FailuresCanBeOrdered) {
  SimulatedWorld world;
  world.system().FailNext(SimulatedCall::kSync, EIO);
  absl::Status status = world.Run(WriteFile("file", "text"));
  EXPECT_EQ(ErrnoOf(status), EIO);
  EXPECT_EQ(world.system().ReadFile("file"), "text");
}

TEST(SimulatedWorldTest, AConnectionThatWasAbortedIsPassedOver) {
  SimulatedWorld world;
  auto accept = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(7000)));
    TcpStream first = co_await Try(TcpStream::Connect(SocketAddress::Loopback(7000)));
    EXPECT_TRUE(world.system().AbortNextConnection(listener.descriptor_number()));
    TcpStream second = co_await Try(TcpStream::Connect(SocketAddress::Loopback(7000)));
    TcpStream server = co_await Try(listener.Accept());
    co_await Try(second.WriteAll("x"));
    char buffer[10];
    size_t n = co_await Try(server.Read(buffer));
    EXPECT_EQ(n, 1);
    absl::StatusOr<size_t> reset = co_await first.Read(buffer);
    EXPECT_EQ(ErrnoOf(reset.status()), ECONNRESET);
    co_return absl::OkStatus();
  };
  absl::Status status = world.Run(accept());
  EXPECT_THAT(status, IsOk());
}

TEST(SimulatedWorldTest, ConnectionsWaitForRoomInTheQueue) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed});
    int connected = 0;
    auto connect = [&]() -> Task<absl::Status> {
      TcpStream stream = co_await Try(TcpStream::Connect(SocketAddress::Loopback(7000)));
      ++connected;
      char buffer[10];
      co_await Try(stream.Read(buffer));
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(7000), {.backlog = 2}));
      for (int i = 0; i < 10; ++i) group.Spawn(connect());
      co_await Try(Sleep(absl::Seconds(1)));
      EXPECT_EQ(connected, 3);
      for (int i = 0; i < 10; ++i) co_await Try(listener.Accept());
      co_return absl::OkStatus();
    };
    absl::Status status = world.Run(WithTaskGroup(body));
    EXPECT_THAT(status, IsOk());
    EXPECT_EQ(connected, 10);
  }
}

// From here on, a system call that reaches for the outside kills the process.
void ForbidTheOutside() {
  // Not pipe2(2), by which the sanitizers find out whether memory is there.
  constexpr uint32_t kForbidden[] = {SYS_socket,          SYS_connect,     SYS_accept4,  SYS_bind,
                                     SYS_openat,          SYS_ppoll,       SYS_poll,     SYS_nanosleep,
                                     SYS_clock_nanosleep, SYS_epoll_pwait, SYS_eventfd2, SYS_io_uring_setup};
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (uint32_t number : kForbidden) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog program = {.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(2);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(2);
}

TEST(SimulatedWorldDeathTest, NeedsNothingOfTheKernel) {
  EXPECT_EXIT(
      {
        ForbidTheOutside();
        std::vector<std::string> events = EchoForThree({.seed = 1, .max_latency = absl::Seconds(1)});
        // Without what a sanitizer does at the end, which does reach outside.
        _exit(events.empty() || ::testing::Test::HasFailure() ? 1 : 0);
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_DEATH(
      {
        ForbidTheOutside();
        static_cast<void>(System::Real().Socket(AF_INET, SOCK_STREAM, 0));
        _exit(0);
      },
      "");
}

}  // namespace
}  // namespace proactor
