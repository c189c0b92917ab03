// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/echo_load.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/load.h"
#include "tests/benchmark/thread_server.h"

namespace proactor::benchmark {
namespace {

constexpr absl::Duration kWindow = absl::Milliseconds(20);

absl::StatusOr<Traffic> RunOnce(const Cell& cell, ThreadServer::Answer answer) {
  ThreadServer server(cell.connections, std::move(answer));
  absl::StatusOr<std::unique_ptr<EchoLoad>> load = EchoLoad::Connect(server.address(), cell, false);
  if (!load.ok()) return load.status();
  return (*load)->Run(kWindow);
}

TEST(EchoLoadTest, CountsExactlyTheMessagesThatTheServerEchoed) {
  for (const Cell cell : {Cell{1, 64, 1}, Cell{5, 64, 16}, Cell{3, 1000, 7}, Cell{2, 300000, 4}}) {
    SCOPED_TRACE(cell.Name());
    ThreadServer server(cell.connections, ThreadServer::Echo);
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
          ThreadServer::Echo(socket, data, size);
        }).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  }
}

TEST(EchoLoadTest, ReportsBytesThatNobodySent) {
  const absl::Status status = RunOnce({}, [](int socket, char* data, size_t size) {
                                ThreadServer::Echo(socket, data, size);
                                ThreadServer::Echo(socket, data, 1);
                              }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(EchoLoadTest, ReportsAClosedConnection) {
  const absl::Status status = RunOnce({}, [](int socket, char*, size_t) { shutdown(socket, SHUT_RDWR); }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(EchoLoadTest, PollsBusilyWithTheSameResult) {
  ThreadServer server(1, ThreadServer::Echo);
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
    ThreadServer server(0, ThreadServer::Echo);
    address = server.address();
  }
  EXPECT_FALSE(EchoLoad::Connect(address, Cell(), false).ok());
}

}  // namespace
}  // namespace proactor::benchmark
