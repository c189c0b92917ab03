// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/echo_load.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/load.h"
#include "tests/benchmark/owned_descriptor.h"

namespace proactor::benchmark {
namespace {

constexpr absl::Duration kWindow = absl::Milliseconds(20);

// A thread for each connection; it ends when its connection does. `send` answers what was received.
class Server {
 public:
  using Answer = std::function<void(int socket, char* bytes, size_t size)>;

  Server(int connections, Answer answer) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address_);
    EXPECT_EQ(bind(listener_.number(), reinterpret_cast<sockaddr*>(&address_), length), 0);
    EXPECT_EQ(listen(listener_.number(), connections), 0);
    EXPECT_EQ(getsockname(listener_.number(), reinterpret_cast<sockaddr*>(&address_), &length), 0);
    for (int i = 0; i < connections; ++i) {
      threads_.emplace_back([this, answer] {
        const OwnedDescriptor connection(accept(listener_.number(), nullptr, nullptr));
        std::vector<char> buffer(65536);
        ssize_t size;
        while ((size = recv(connection.number(), buffer.data(), buffer.size(), 0)) > 0) {
          bytes_ += size;
          answer(connection.number(), buffer.data(), static_cast<size_t>(size));
        }
      });
    }
  }

  // After the load has closed its connections.
  ~Server() {
    for (std::thread& thread : threads_) thread.join();
  }

  const sockaddr_in& address() const { return address_; }
  int64_t bytes() const { return bytes_; }

 private:
  OwnedDescriptor listener_;
  sockaddr_in address_ = {};
  std::vector<std::thread> threads_;
  std::atomic<int64_t> bytes_ = 0;
};

void Echo(int socket, char* bytes, size_t size) { send(socket, bytes, size, MSG_NOSIGNAL); }

absl::StatusOr<Traffic> RunOnce(const Cell& cell, Server::Answer answer) {
  Server server(cell.connections, std::move(answer));
  absl::StatusOr<std::unique_ptr<EchoLoad>> load = EchoLoad::Connect(server.address(), cell, false);
  if (!load.ok()) return load.status();
  return (*load)->Run(kWindow);
}

TEST(EchoLoadTest, CountsExactlyTheMessagesThatTheServerEchoed) {
  for (const Cell cell : {Cell{1, 64, 1}, Cell{5, 64, 16}, Cell{3, 1000, 7}, Cell{2, 300000, 4}}) {
    SCOPED_TRACE(cell.Name());
    Server server(cell.connections, Echo);
    absl::StatusOr<std::unique_ptr<EchoLoad>> load = EchoLoad::Connect(server.address(), cell, false);
    ASSERT_TRUE(load.ok()) << load.status();
    int64_t messages = 0;
    for (int window = 0; window < 3; ++window) {
      const absl::StatusOr<Traffic> traffic = (*load)->Run(kWindow);
      ASSERT_TRUE(traffic.ok()) << traffic.status();
      EXPECT_GE(traffic->elapsed, kWindow);
      EXPECT_GE(traffic->messages, cell.connections * cell.in_flight);
      messages += traffic->messages;
      EXPECT_EQ(server.bytes(), messages * cell.bytes) << "nothing is in flight between windows";
    }
  }
}

TEST(EchoLoadTest, ReportsAChangedByte) {
  for (const int bytes : {1, 64, 65536}) {
    const absl::Status status =
        RunOnce({.connections = 2, .bytes = bytes, .in_flight = 1}, [](int socket, char* data, size_t size) {
          data[size - 1] ^= 1;
          Echo(socket, data, size);
        }).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  }
}

TEST(EchoLoadTest, ReportsBytesThatNobodySent) {
  const absl::Status status = RunOnce({}, [](int socket, char* data, size_t size) {
                                Echo(socket, data, size);
                                Echo(socket, data, 1);
                              }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(EchoLoadTest, ReportsAClosedConnection) {
  const absl::Status status = RunOnce({}, [](int socket, char*, size_t) { shutdown(socket, SHUT_RDWR); }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(EchoLoadTest, PollsBusilyWithTheSameResult) {
  Server server(1, Echo);
  absl::StatusOr<std::unique_ptr<EchoLoad>> load = EchoLoad::Connect(server.address(), {1, 64, 1}, true);
  ASSERT_TRUE(load.ok()) << load.status();
  const absl::StatusOr<Traffic> traffic = (*load)->Run(kWindow);
  ASSERT_TRUE(traffic.ok()) << traffic.status();
  EXPECT_EQ(server.bytes(), traffic->messages * 64);
}

TEST(EchoLoadTest, GivesUpOnAServerThatDoesNotAnswer) {
  const absl::Status status = RunOnce({}, [](int, char*, size_t) {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST(EchoLoadTest, ReportsWhenNobodyListens) {
  sockaddr_in address = {};
  {
    Server server(0, Echo);
    address = server.address();
  }
  EXPECT_FALSE(EchoLoad::Connect(address, Cell(), false).ok());
}

}  // namespace
}  // namespace proactor::benchmark
