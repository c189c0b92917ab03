// SPDX-License-Identifier: Apache-2.0
//
// What the library asks of the kernel on epoll, call by call: the linker has the calls go through here (--wrap).
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/blocking_pool.h"
#include "proactor/fs/file.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace {

struct Calls {
  int receives = 0;
  int receives_in_vain = 0;  // EAGAIN.
  int sends = 0;
  std::map<int, int> registrations;  // By descriptor.
} calls;

}  // namespace

extern "C" {

ssize_t __real_recv(int descriptor, void* buffer, size_t size, int flags);
ssize_t __wrap_recv(int descriptor, void* buffer, size_t size, int flags) {
  ssize_t n = __real_recv(descriptor, buffer, size, flags);
  ++(n < 0 && errno == EAGAIN ? calls.receives_in_vain : calls.receives);
  return n;
}

ssize_t __real_send(int descriptor, const void* bytes, size_t size, int flags);
ssize_t __wrap_send(int descriptor, const void* bytes, size_t size, int flags) {
  ++calls.sends;
  return __real_send(descriptor, bytes, size, flags);
}

int __real_epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event);
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event) {
  if (operation != EPOLL_CTL_DEL) ++calls.registrations[descriptor];
  return __real_epoll_ctl(epoll, operation, descriptor, event);
}
}

namespace proactor {
namespace {

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[4096];
  while (size_t n = co_await Try(stream.Read(buffer))) co_await Try(stream.WriteAll({buffer, n}));
  co_return absl::OkStatus();
}

TEST(EpollCallsTest, ASteadyEchoRegistersOnceAndTransfersOncePerMessageAndDirection) {
  constexpr int kMessages = 1000;
  Bench bench(Backend::kEpoll);
  auto body = [](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    calls = {};
    TcpStream client = co_await Try(TcpStream::Connect(address));
    TcpStream server = co_await Try(listener.Accept());
    const int ends[] = {client.descriptor_number(), server.descriptor_number()};
    group.Spawn(Echo(std::move(server)));
    for (int i = 0; i < kMessages; ++i) {
      char reply[64];
      co_await Try(client.WriteAll("message"));
      size_t n = co_await Try(client.Read(reply));
      EXPECT_EQ(n, 7u);
    }
    for (int end : ends) EXPECT_LE(calls.registrations[end], 1);
    EXPECT_EQ(calls.sends, 2 * kMessages);
    EXPECT_EQ(calls.receives, 2 * kMessages);
    // Whoever finds nothing is called when there is something. The server waits for one more than it has had.
    EXPECT_LE(calls.receives_in_vain, 2 * kMessages + 1);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench.Run(WithTaskGroup(body)), IsOk());
}

// A read that has filled its buffer leaves open whether there is more. Who has answered since looks behind everybody
// who is ready. Here the next message of a connection comes while another is being served, as it does on a busy server.
TEST(EpollCallsTest, MessagesAsLargeAsTheirBufferAreNotLookedForInVain) {
  constexpr int kMessages = 1000;
  static constexpr char kMessage[64] = {};
  Bench bench(Backend::kEpoll);
  int peers[2];
  auto serve = [&](TcpStream stream, int peer_of_other) -> Task<absl::Status> {
    char buffer[sizeof(kMessage)];
    for (int i = 0; i < kMessages; ++i) {
      size_t n = co_await Try(stream.Read(buffer));
      EXPECT_EQ(n, sizeof(buffer));
      EXPECT_EQ(write(peer_of_other, kMessage, sizeof(kMessage)), static_cast<ssize_t>(sizeof(kMessage)));
      co_await Try(stream.WriteAll({buffer, n}));
      EXPECT_EQ(read(peers[0] + peers[1] - peer_of_other, buffer, sizeof(buffer)), static_cast<ssize_t>(n));
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    TcpStream streams[2];
    for (int i = 0; i < 2; ++i) {
      peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      EXPECT_EQ(connect(peers[i], address.data(), address.size()), 0);
      streams[i] = co_await Try(listener.Accept());
    }
    calls = {};
    for (int i = 0; i < 2; ++i) group.Spawn(serve(std::move(streams[i]), peers[1 - i]));
    co_await Try(Sleep(absl::Milliseconds(1)));  // Both wait by now, and are watched.
    for (int peer : peers) EXPECT_EQ(write(peer, kMessage, sizeof(kMessage)), static_cast<ssize_t>(sizeof(kMessage)));
    co_await group.Join();
    EXPECT_EQ(calls.receives, 2 * kMessages);
    EXPECT_LE(calls.receives_in_vain, kMessages / 10);
    for (int peer : peers) close(peer);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench.Run(WithTaskGroup(body)), IsOk());
}

// Opening takes one: here the file is open by then.
TEST(EpollCallsTest, AReadOfWhatIsInMemoryTakesNoThread) {
  std::string path = ::testing::TempDir() + "/cached.XXXXXX";
  const int number = mkstemp(path.data());
  ASSERT_GE(number, 0);
  unlink(path.c_str());
  const std::string text(100'000, 'x');
  ASSERT_EQ(write(number, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ASSERT_EQ(lseek(number, 0, SEEK_SET), 0);
  std::string whole(text.size(), '\0');
  iovec part = {whole.data(), whole.size()};
  if (preadv2(number, &part, 1, 0, RWF_NOWAIT) != static_cast<ssize_t>(text.size())) {
    close(number);
    GTEST_SKIP() << "the file system cannot read at once, or has not kept the file";
  }
  Bench bench(Backend::kEpoll);
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Adopt(number));
    std::string read;
    char buffer[1000];
    while (size_t n = co_await Try(file.Read(buffer))) read.append(buffer, n);
    EXPECT_TRUE(read == text);
    size_t n = co_await Try(file.ReadAt(500, buffer));
    EXPECT_EQ(n, sizeof(buffer));
    EXPECT_EQ(BlockingPool::Shared().threads(), 0);
    // A thread would be seen.
    co_await Try(file.Sync());
    EXPECT_EQ(BlockingPool::Shared().threads(), 1);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench.Run(body()), IsOk());
}

}  // namespace
}  // namespace proactor
