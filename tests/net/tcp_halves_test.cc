// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/tcp_halves.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/buffer_pool.h"
#include "proactor/errors.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class TcpHalvesTest : public BackendTest {};

Task<absl::Status> Produce(TcpWriteHalf writer, const std::string& bytes) {
  for (size_t at = 0; at < bytes.size(); at += 10'000) {
    co_await Try(writer.WriteAll(std::string_view(bytes).substr(at, 10'000)));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> Consume(TcpReadHalf reader, std::string& bytes) {
  bytes = co_await Try(ReadToEnd(reader));
  co_return absl::OkStatus();
}

// Full duplex from both sides: four coroutines, each of which owns its half and ends in its own time.
TEST_P(TcpHalvesTest, CoroutinesThatOwnAHalfEachReadAndWriteAtTheSameTime) {
  std::string from_client = Pattern(3'000'000);
  std::string from_server = Pattern(2'000'000);
  std::string at_server, at_client;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    TcpHalves client = std::move(connection.client).Split();
    TcpHalves server = std::move(connection.server).Split();
    EXPECT_FALSE(connection.client);
    group.Spawn(Consume(std::move(client.reader), at_client));
    group.Spawn(Consume(std::move(server.reader), at_server));
    group.Spawn(Produce(std::move(client.writer), from_client));
    group.Spawn(Produce(std::move(server.writer), from_server));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_TRUE(at_server == from_client);
  EXPECT_TRUE(at_client == from_server);
}

TEST_P(TcpHalvesTest, DroppingTheWriterEndsTheStreamAndTheReaderGoesOn) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    auto [reader, writer] = std::move(connection.client).Split();
    co_await Try(writer.WriteAll("question"));
    writer = TcpWriteHalf();
    std::string question = co_await Try(ReadToEnd(connection.server));
    EXPECT_EQ(question, "question");
    co_await Try(connection.server.WriteAll("answer"));
    connection.server = TcpStream();
    std::string answer = co_await Try(ReadToEnd(reader));
    EXPECT_EQ(answer, "answer");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpHalvesTest, DroppingTheReaderLetsTheWriterGoOnAndTheLastHalfCloses) {
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    int number = connection.client.descriptor_number();
    auto [reader, writer] = std::move(connection.client).Split();
    reader = TcpReadHalf();
    co_await Try(writer.WriteAll("still there"));
    int value;
    socklen_t size = sizeof(value);
    EXPECT_EQ(system().GetSocketOption(number, SOL_SOCKET, SO_TYPE, &value, &size), 0);
    writer = TcpWriteHalf();
    EXPECT_EQ(system().GetSocketOption(number, SOL_SOCKET, SO_TYPE, &value, &size), -EBADF);
    std::string received = co_await Try(ReadToEnd(connection.server));
    EXPECT_EQ(received, "still there");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpHalvesTest, TheReaderIsTheLastToCloseToo) {
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    int number = connection.client.descriptor_number();
    {
      TcpReadHalf survivor;
      {
        auto [reader, writer] = std::move(connection.client).Split();
        survivor = std::move(reader);
        EXPECT_FALSE(reader);
      }
      EXPECT_TRUE(survivor);
    }
    int value;
    socklen_t size = sizeof(value);
    EXPECT_EQ(system().GetSocketOption(number, SOL_SOCKET, SO_TYPE, &value, &size), -EBADF);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpHalvesTest, ShutdownEndsTheStreamAndSaysThatItWentWell) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    auto [reader, writer] = std::move(connection.client).Split();
    EXPECT_THAT(writer.Shutdown(), IsOk());
    char buffer[1];
    absl::StatusOr<size_t> end = co_await connection.server.Read(buffer);
    EXPECT_THAT(end, IsOkAndHolds(0u));
    absl::Status late = co_await writer.WriteAll("x");
    EXPECT_EQ(ErrnoOf(late), EPIPE);
    connection.server.Reset();
    // Whether the reset has been noticed or not, it is over.
    EXPECT_TRUE(writer);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpHalvesTest, ListsOfBuffersGoThroughHalves) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    auto [reader, writer] = std::move(connection.client).Split();
    std::string_view pieces[] = {"head", "", "body"};
    co_await Try(writer.WriteAll(pieces));
    co_await Try(connection.server.WriteAll("01234567"));
    char first[3], second[5];
    std::span<char> buffers[] = {first, second};
    size_t n = co_await Try(reader.Read(buffers));
    EXPECT_EQ(std::string(first, std::min<size_t>(n, 3)), std::string("012").substr(0, n));
    writer = TcpWriteHalf();
    std::string received = co_await Try(ReadToEnd(connection.server));
    EXPECT_EQ(received, "headbody");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// The two of them have one descriptor, and what is received ahead for the one does not disturb the other.
TEST_P(TcpHalvesTest, HalvesReceiveIntoAPoolAndWriteWhatTheyHaveReceived) {
  BufferPool pool;
  std::string sent = Pattern(simulated() ? 100'000 : 3'000'000), received;
  size_t first = 0;
  auto echo = [&](TcpReadHalf reader, TcpWriteHalf writer) -> Task<absl::Status> {
    Buffer chunk = co_await Try(reader.Receive(pool));
    first = chunk.size();
    co_await Try(writer.WriteAll(chunk.view()));
    while (true) {
      Buffers chunks = co_await Try(reader.ReceiveAll(pool));
      if (chunks.empty()) co_return writer.Shutdown();
      co_await Try(writer.WriteAll(chunks));
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    TcpHalves client = std::move(connection.client).Split();
    TcpHalves server = std::move(connection.server).Split();
    group.Spawn(echo(std::move(server.reader), std::move(server.writer)));
    group.Spawn(Produce(std::move(client.writer), sent));
    group.Spawn(Consume(std::move(client.reader), received));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_GT(first, 0u);
  EXPECT_TRUE(received == sent);
  EXPECT_EQ(pool.usage().on_loan + pool.usage().received, 0);
}

TEST_P(TcpHalvesTest, CancellingTheReaderLeavesTheWriterAlone) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    auto [reader, writer] = std::move(connection.client).Split();
    char buffer[10];
    absl::StatusOr<size_t> n = co_await WithTimeout(absl::Milliseconds(1), reader.Read(buffer));
    EXPECT_THAT(n, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_await Try(writer.WriteAll("x"));
    n = co_await connection.server.Read(buffer);
    EXPECT_THAT(n, IsOkAndHolds(1u));
    co_await Try(connection.server.WriteAll("y"));
    n = co_await reader.Read(buffer);
    EXPECT_THAT(n, IsOkAndHolds(1u));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST(TcpHalvesEmptyTest, HalvesOfNothingAreEmpty) {
  TcpReadHalf reader;
  TcpWriteHalf writer;
  EXPECT_FALSE(reader);
  EXPECT_FALSE(writer);
  TcpWriteHalf moved = std::move(writer);
  EXPECT_FALSE(moved);
}

INSTANTIATE_ON_EVERY_BACKEND(TcpHalvesTest);

TEST(TcpHalvesDeathTest, AHalfThatIsDroppedWithItsOperationInFlightEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        Bench bench(Backend::kSimulated);
        auto body = [](TaskGroup& group) -> Task<absl::Status> {
          Connection connection = co_await Try(Connect());
          TcpHalves halves = std::move(connection.client).Split();
          auto read = [&]() -> Task<absl::Status> {
            char buffer[1];
            absl::StatusOr<size_t> n = co_await halves.reader.Read(buffer);
            co_return n.status();
          };
          group.Spawn(read());
          co_await Try(Sleep(absl::Seconds(1)));
          halves.reader = TcpReadHalf();
          co_return absl::OkStatus();
        };
        static_cast<void>(bench.Run(WithTaskGroup(body)));
      },
      "The reading half of descriptor .* was dropped while an operation of it was in flight");
}

}  // namespace
}  // namespace proactor
