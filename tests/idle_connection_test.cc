// SPDX-License-Identifier: Apache-2.0

// What ten thousand connections that wait cost in memory of ours: the process's resident memory, so nothing is left
// out that it has touched. What the kernel keeps for a socket is not in it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/buffer_pool.h"
#include "proactor/net/tcp.h"
#include "proactor/run_blocking.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
constexpr bool kAsItShips = true;
#else
constexpr bool kAsItShips = false;
#endif

// Another build has other frames, and sanitizers have memory of their own: there it is only seen that all are served.
constexpr int kConnections = kAsItShips ? 10'000 : 500;
constexpr rlim_t kDescriptors = kConnections + 200;

int64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  long long size = 0, resident = 0;
  if (file == nullptr) return 0;
  int read = std::fscanf(file, "%lld %lld", &size, &resident);
  std::fclose(file);
  return read == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

Task<absl::Status> Echo(TcpStream stream, BufferPool& pool) {
  while (true) {
    Buffers chunks = co_await Try(stream.ReceiveAll(pool));
    if (chunks.empty()) co_return absl::OkStatus();
    co_await Try(stream.WriteAll(chunks));
  }
}

// Connects once more, and waits for the echo of one message.
bool ConnectAndEcho(uint16_t port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  char byte = 'x';
  return connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
         send(descriptor, &byte, 1, MSG_NOSIGNAL) == 1 && recv(descriptor, &byte, 1, MSG_WAITALL) == 1;
}

// The clients: in a process of their own, for half of the descriptors are theirs, and so is the memory.
class Clients {
 public:
  explicit Clients(uint16_t port) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return;
    child_ = fork();
    if (child_ == 0) {
      close(ends[0]);
      for (int count; recv(ends[1], &count, sizeof(count), MSG_WAITALL) == sizeof(count);) {
        int connected = 0;
        while (connected < count && ConnectAndEcho(port)) ++connected;
        send(ends[1], &connected, sizeof(connected), MSG_NOSIGNAL);
      }
      _exit(0);
    }
    close(ends[1]);
    end_ = ends[0];
  }
  ~Clients() {
    close(end_);
    waitpid(child_, nullptr, 0);
  }
  // Blocks. Yields how many were connected.
  int Connect(int count) {
    send(end_, &count, sizeof(count), MSG_NOSIGNAL);
    return recv(end_, &count, sizeof(count), MSG_WAITALL) == sizeof(count) ? count : -1;
  }

 private:
  pid_t child_ = -1;
  int end_ = -1;
};

bool MayOpenEnough() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max >= kDescriptors;
}

class IdleConnectionTest : public BackendTest {};

TEST_P(IdleConnectionTest, TakesLessThanAKibibyte) {
  if (!MayOpenEnough()) GTEST_SKIP() << "so many descriptors are not allowed";
  BufferPool pool;
  TcpListener listener;
  int64_t bytes = 0;
  auto accept = [&](TaskGroup& connections) -> Task<absl::Status> {
    while (true) {
      TcpStream stream = co_await Try(listener.Accept());
      connections.Spawn(Echo(std::move(stream), pool), {.name = "connection"});
    }
  };
  auto body = [&](TaskGroup& service) -> Task<absl::Status> {
    listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    service.Spawn(WithTaskGroup(accept));
    Clients clients(address.port());
    auto connect = [&](int count) { return RunBlocking([&clients, count] { return clients.Connect(count); }); };
    // What there is only once is not counted.
    absl::StatusOr<int> first = co_await connect(100);
    EXPECT_THAT(first, IsOkAndHolds(100));
    int64_t before = ResidentBytes();
    absl::StatusOr<int> rest = co_await connect(kConnections - 100);
    EXPECT_THAT(rest, IsOkAndHolds(kConnections - 100));
    bytes = (ResidentBytes() - before) / (kConnections - 100);
    service.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  std::printf("%lld bytes for each connection\n", static_cast<long long>(bytes));
  if (!kAsItShips) return;
  EXPECT_GT(bytes, 100) << "less than a frame: not measured";
  EXPECT_LE(bytes, 1024);
}

INSTANTIATE_ON_REAL_BACKENDS(IdleConnectionTest);

}  // namespace
}  // namespace proactor
