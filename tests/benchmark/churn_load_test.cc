// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/churn_load.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
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

absl::Status RunOnce(ThreadServer::Answer answer) {
  const Cell cell = Cell::Churn();
  ThreadServer server(cell.connections, std::move(answer));
  return ChurnLoad(server.address(), cell).Run(kWindow).status();
}

TEST(ChurnLoadTest, EveryMessageHasAConnectionOfItsOwn) {
  const Cell cell = Cell::Churn();
  ThreadServer server(cell.connections, ThreadServer::Echo);
  ChurnLoad load(server.address(), cell);
  int64_t messages = 0;
  for (int window = 0; window < 3; ++window) {
    const absl::StatusOr<Traffic> traffic = load.Run(kWindow);
    ASSERT_TRUE(traffic.ok()) << traffic.status();
    EXPECT_GE(traffic->elapsed, kWindow);
    EXPECT_GE(traffic->messages, cell.connections);
    messages += traffic->messages;
    EXPECT_EQ(server.bytes(), messages * cell.bytes) << "nothing is in flight between windows";
  }
}

TEST(ChurnLoadTest, TakesAnEchoInPieces) {
  const absl::Status status = RunOnce([](int socket, char* data, size_t size) {
    ThreadServer::Echo(socket, data, 1);
    ThreadServer::Echo(socket, data + 1, size - 1);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(ChurnLoadTest, ReportsAChangedByte) {
  const absl::Status status = RunOnce([](int socket, char* data, size_t size) {
    data[size - 1] ^= 1;
    ThreadServer::Echo(socket, data, size);
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(ChurnLoadTest, ReportsBytesThatNobodySent) {
  const absl::Status status = RunOnce([](int socket, char* data, size_t size) {
    ThreadServer::Echo(socket, data, size);
    ThreadServer::Echo(socket, data, 1);
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(ChurnLoadTest, ReportsAClosedConnection) {
  const absl::Status status = RunOnce([](int socket, char*, size_t) { shutdown(socket, SHUT_RDWR); });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(ChurnLoadTest, GivesUpOnAServerThatDoesNotAnswer) {
  const absl::Status status = RunOnce([](int, char*, size_t) {});
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST(ChurnLoadTest, ReportsWhenNobodyListens) {
  sockaddr_in address = {};
  {
    ThreadServer server(0, ThreadServer::Echo);
    address = server.address();
  }
  EXPECT_FALSE(ChurnLoad(address, Cell::Churn()).Run(kWindow).ok());
}

}  // namespace
}  // namespace proactor::benchmark
