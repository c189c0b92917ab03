// SPDX-License-Identifier: Apache-2.0
//
// A simulation is a simulation: no part of it asks the kernel for sockets, files or a ring. Each program here runs in a
// process that the kernel kills when it does.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/fs/file.h"
#include "proactor/net/address.h"
#include "proactor/net/tcp.h"
#include "proactor/signal_set.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/try.h"
#include "tests/support/fake_ring_world.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

// What opens, connects or sets up anything, and what waits for it. Not pipe(2): UBSan makes one to look at an object.
// clang-format off
constexpr unsigned kForbidden[] = {
    SYS_socket, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect, SYS_shutdown, SYS_sendto,
    SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_getsockname, SYS_setsockopt,
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_eventfd2, SYS_epoll_create1,
    SYS_openat, SYS_openat2, SYS_pread64, SYS_pwrite64, SYS_ftruncate, SYS_fsync, SYS_fdatasync, SYS_statx,
    SYS_signalfd4, SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_nanosleep, SYS_clock_nanosleep,
#ifdef SYS_open  // The older names of some, which newer architectures do not have.
    SYS_open, SYS_creat, SYS_poll, SYS_select, SYS_epoll_wait,
#endif
};
// clang-format on

// Runs a part of a test in a process of its own, which ends with 0 if the status is OK; not by exit(3), which a
// sanitizer would use to open files.
void RunWithoutKernel(absl::FunctionRef<absl::Status()> program) {
  if (!Install(FatalOn(kForbidden))) _exit(2);
  absl::Status status = program();
  if (!status.ok()) {
    std::string text = status.ToString() + "\n";
    [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
  }
  _exit(status.ok() ? 0 : 1);
}

const auto kSucceeds = ::testing::ExitedWithCode(0);
const auto kIsKilled = ::testing::KilledBySignal(SIGSYS);

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[100];
  while (size_t n = co_await Try(stream.Read(buffer))) co_await Try(stream.WriteAll({buffer, n}));
  co_return co_await stream.Close();
}

Task<absl::Status> EchoAndClient() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Any(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  auto serve = [&]() -> Task<absl::Status> {
    TcpStream stream = co_await Try(listener.Accept());
    co_return co_await Echo(std::move(stream));
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(serve());
    TcpStream stream = co_await Try(TcpStream::Connect(SocketAddress::Loopback(address.port())));
    co_await Try(Sleep(absl::Hours(24)));
    co_await Try(stream.WriteAll("hello"));
    co_await Try(stream.Shutdown(ShutdownHow::kWrite));
    std::string echoed;
    char buffer[100];
    while (size_t n = co_await Try(stream.Read(buffer))) echoed.append(buffer, n);
    co_return echoed == "hello" ? absl::OkStatus() : absl::InternalError(echoed);
  };
  co_return co_await WithTaskGroup(body);
}

TEST(NoKernelDeathTest, ListeningAcceptingConnectingReadingAndWritingOfSocketsNeedNone) {
  auto program = [] {
    SimulatedWorld world;
    return world.Run(EchoAndClient());
  };
  EXPECT_EXIT(RunWithoutKernel(program), kSucceeds, "");
}

TEST(NoKernelDeathTest, TheRealIoUringProactorOverAFakeKernelNeedsNone) {
  auto program = [] { return MakeFakeRingWorld({.seed = 1})->Run(EchoAndClient()); };
  EXPECT_EXIT(RunWithoutKernel(program), kSucceeds, "");
}

Task<absl::Status> WorkOnFiles() {
  File file = co_await Try(File::Create("notes.txt"));
  co_await Try(file.WriteAll("0123456789"));
  co_await Try(file.WriteAllAt(5, "abc"));
  co_await Try(file.Sync());
  co_await Try(file.SyncData());
  co_await Try(file.Truncate(9));
  FileStatus facts = co_await Try(file.Stat());
  co_await Try(file.Close());
  file = co_await Try(File::Open("notes.txt"));
  std::string text;
  char buffer[100];
  while (size_t n = co_await Try(file.Read(buffer))) text.append(buffer, n);
  bool right = text == "01234abc8" && facts.size == 9;
  co_return right ? absl::OkStatus() : absl::InternalError(text);
}

TEST(NoKernelDeathTest, FilesNeedNone) {
  auto program = [] {
    SimulatedWorld world;
    return world.Run(WorkOnFiles());
  };
  EXPECT_EXIT(RunWithoutKernel(program), kSucceeds, "");
}

Task<absl::Status> CopyStandardInput() {
  File in = co_await Try(File::StandardInput());
  File out = co_await Try(File::StandardOutput());
  char buffer[100];
  while (size_t n = co_await Try(in.Read(buffer))) co_await Try(out.WriteAll({buffer, n}));
  co_return absl::OkStatus();
}

TEST(NoKernelDeathTest, StandardStreamsNeedNone) {
  auto program = [] {
    SimulatedWorld world;
    world.system().SetStandardInput("some text");
    absl::Status status = world.Run(CopyStandardInput());
    bool right = world.system().standard_output() == "some text";
    return status.ok() && !right ? absl::InternalError("not copied") : status;
  };
  EXPECT_EXIT(RunWithoutKernel(program), kSucceeds, "");
}

Task<absl::Status> TakeASignal(SimulatedWorld& world) {
  SignalSet signals = co_await Try(SignalSet::Block(SIGTERM));
  world.Raise(SIGTERM);
  Signal signal = co_await Try(signals.Wait());
  co_return signal.number == SIGTERM ? absl::OkStatus() : absl::InternalError("another signal");
}

TEST(NoKernelDeathTest, SignalsNeedNone) {
  auto program = [] {
    SimulatedWorld world;
    return world.Run(TakeASignal(world));
  };
  EXPECT_EXIT(RunWithoutKernel(program), kSucceeds, "");
}

// The filter does what it is there for.
TEST(NoKernelDeathTest, AProcessThatAsksForASocketIsKilled) {
  auto program = [] {
    socket(AF_INET, SOCK_STREAM, 0);
    return absl::OkStatus();
  };
  EXPECT_EXIT(RunWithoutKernel(program), kIsKilled, "");
}

TEST(NoKernelDeathTest, AProcessThatAsksForAFileIsKilled) {
  auto program = [] {
    open("/dev/null", O_RDONLY | O_CLOEXEC);
    return absl::OkStatus();
  };
  EXPECT_EXIT(RunWithoutKernel(program), kIsKilled, "");
}

TEST(NoKernelDeathTest, AProcessThatAsksForARingIsKilled) {
  auto program = [] {
    syscall(SYS_io_uring_setup, 1, nullptr);
    return absl::OkStatus();
  };
  EXPECT_EXIT(RunWithoutKernel(program), kIsKilled, "");
}

}  // namespace
}  // namespace proactor
