// SPDX-License-Identifier: Apache-2.0
//
// Streams that go from scheduler to scheduler, each on its own thread, while more comes for them.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/backend_choice.h"
#include "proactor/buffer_pool.h"
#include "proactor/net/tcp.h"
#include "proactor/run.h"
#include "proactor/scheduler.h"
#include "proactor/sync/shared_channel.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class MovingThreadsTest : public BackendTest {};

constexpr size_t kBytes = 400'000;

// Writes all there is, for as long as somebody else reads it.
Task<absl::Status> WriteAndFinish(TcpStream& stream, std::string_view bytes) {
  co_await Try(stream.WriteAll(bytes));
  co_return stream.Shutdown(ShutdownHow::kWrite);
}

// How somebody reads a stream.
enum class How { kRead, kReadList, kReceive };

Task<absl::StatusOr<size_t>> TakeSome(How how, TcpStream& stream, BufferPool& pool, std::string& all) {
  if (how == How::kReceive) {
    Buffer chunk = co_await Try(stream.Receive(pool));
    all += chunk.view();
    co_return chunk.size();
  }
  char bytes[300];
  std::span<char> list[] = {std::span(bytes, 100), std::span(bytes + 100, 200)};
  size_t n = 0;
  if (how == How::kRead) n = co_await Try(stream.Read(bytes));
  if (how == How::kReadList) n = co_await Try(stream.Read(list));
  all.append(bytes, n);
  co_return n;
}

// One of two who take turns at a stream: three reads, and it goes to the other.
struct Player {
  How how;
  SharedChannel<TcpStream> inbox{1};

  // `all`: of both, for whoever has the stream.
  Task<absl::Status> Play(Player& other, std::string& all) {
    BufferPool pool({.smallest = 256, .largest = 256});
    while (std::optional<TcpStream> stream = co_await Try(inbox.Receive())) {
      for (int i = 0; i < 3; ++i) {
        size_t n = co_await Try(TakeSome(how, *stream, pool, all));
        if (n > 0) continue;
        inbox.Close();
        other.inbox.Close();
        co_return absl::OkStatus();
      }
      co_await Try(other.inbox.Send(*std::move(stream)));
    }
    co_return absl::OkStatus();
  }
};

class MovingStreamThreadsTest : public MovingThreadsTest {
 protected:
  void Exchange(How here, How there) { Exchange(here, there, GetParam()); }
  void Exchange(How here, How there, Backend backend_there) {
    std::string sent = Pattern(kBytes), received;
    Player left{here}, right{there};
    absl::Status status = absl::UnknownError("has not ended");
    std::thread thread([&] {
      Bench bench(backend_there);
      status = bench.Run(WithTimeout(absl::Seconds(60), right.Play(left, received)));
    });
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      Connection connection = co_await Try(Connect());
      group.Spawn(WriteAndFinish(connection.client, sent));
      co_await Try(left.inbox.Send(std::move(connection.server)));
      absl::Status played = co_await left.Play(right, received);
      co_await group.Join();
      co_return played;
    };
    EXPECT_THAT(Run(WithTimeout(absl::Seconds(60), WithTaskGroup(body))), IsOk());
    for (Player* player : {&left, &right}) player->inbox.Close();  // Also after a failure.
    thread.join();
    EXPECT_THAT(status, IsOk());
    EXPECT_TRUE(received == sent) << "of " << sent.size() << " bytes came " << received.size();
  }
};

TEST_P(MovingStreamThreadsTest, BytesThatComeWhileItGoesFromSchedulerToSchedulerAreReadInOrder) {
  Exchange(How::kRead, How::kReadList);
}

TEST_P(MovingStreamThreadsTest, BytesThatWereReceivedAheadGoWithIt) {
  Exchange(How::kReceive, How::kReceive);
  Exchange(How::kReceive, How::kRead);
  Exchange(How::kReadList, How::kReceive);
}

// As where io_uring was refused to one of the two.
TEST_P(MovingStreamThreadsTest, BytesGoWithItBetweenSchedulersOnDifferentBackends) {
  const Backend other = GetParam() == Backend::kIoUring ? Backend::kEpoll : Backend::kIoUring;
  for (How here : {How::kRead, How::kReceive}) {
    for (How there : {How::kReadList, How::kReceive}) Exchange(here, there, other);
  }
}

TEST_P(MovingStreamThreadsTest, BytesThatWereReceivedAheadOutliveTheirScheduler) {
  const std::string sent = Pattern(1000);
  for (How how : {How::kRead, How::kReadList, How::kReceive}) {
    BufferPool pool({.smallest = 64, .largest = 64}), other;
    Connection connection;
    std::string received;
    std::thread thread([&] {
      Bench bench(GetParam());
      auto body = [&]() -> Task<absl::Status> {
        connection = co_await Try(Connect());
        co_await Try(connection.client.WriteAll(sent));
        EXPECT_THAT(connection.client.Shutdown(ShutdownHow::kWrite), IsOk());
        AwaitDelivery(bench.system(), connection.client.descriptor_number());
        co_return (co_await TakeSome(How::kReceive, connection.server, pool, received)).status();
      };
      EXPECT_THAT(bench.Run(body()), IsOk());
    });
    thread.join();
    auto body = [&]() -> Task<absl::Status> {
      size_t n = 0;
      do {
        n = co_await Try(TakeSome(how, connection.server, other, received));
      } while (n > 0);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTimeout(absl::Seconds(60), body())), IsOk());
    EXPECT_TRUE(received == sent) << "of " << sent.size() << " bytes came " << received.size();
  }
}

// A scheduler is told from one that has ended, though it lies where that did.
TEST_P(MovingStreamThreadsTest, BytesThatWereReceivedAheadAreReadOnASchedulerAtTheSameAddress) {
  const std::string sent = Pattern(1000);
  const BackendChoice backend = GetParam() == Backend::kIoUring ? BackendChoice::kIoUring : BackendChoice::kEpoll;
  for (How how : {How::kRead, How::kReadList, How::kReceive}) {
    BufferPool pool({.smallest = 64, .largest = 64}), other({.smallest = 64, .largest = 64});
    Connection connection, newer;
    std::string received, between;
    std::optional<Scheduler> scheduler;
    auto first = [&]() -> Task<absl::Status> {
      connection = co_await Try(Connect());
      newer = co_await Try(Connect());
      co_await Try(connection.client.WriteAll(std::string_view(sent).substr(0, 500)));
      co_return (co_await TakeSome(How::kReceive, connection.server, pool, received)).status();
    };
    scheduler.emplace(*MakeProactor({.backend = backend}));
    EXPECT_THAT(scheduler->Run(first()), IsOk());
    auto second = [&]() -> Task<absl::Status> {
      co_await Try(newer.client.WriteAll("between"));
      co_await Try(TakeSome(How::kReceive, newer.server, other, between));
      co_await Try(connection.client.WriteAll(std::string_view(sent).substr(500)));
      while (received.size() < sent.size()) co_await Try(TakeSome(how, connection.server, other, received));
      co_return absl::OkStatus();
    };
    scheduler.emplace(*MakeProactor({.backend = backend}));
    EXPECT_THAT(scheduler->Run(WithTimeout(absl::Seconds(60), second())), IsOk());
    EXPECT_TRUE(received == sent);
    EXPECT_EQ(between, "between");
  }
}

// It is watched where it was read, and reports may be on their way when it goes.
TEST_P(MovingThreadsTest, StreamsAreDroppedOnAnotherThreadWhileTheirBytesCome) {
  constexpr int kStreams = 50;
  SharedChannel<TcpStream> dropped(kStreams);
  std::thread thread([&] {
    while (true) {
      absl::StatusOr<std::optional<TcpStream>> stream = dropped.ReceiveBlocking();
      if (!stream.ok() || !stream->has_value()) return;
    }
  });
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> connections;
    for (int i = 0; i < kStreams; ++i) connections.push_back(co_await Try(Connect()));
    for (Connection& connection : connections) {
      char byte[1];
      absl::StatusOr<size_t> nothing = co_await WithTimeout(absl::Microseconds(1), connection.server.Read(byte));
      EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kDeadlineExceeded));
    }
    for (Connection& connection : connections) {
      co_await Try(connection.client.WriteAll("x"));
      co_await Try(dropped.Send(std::move(connection.server)));
    }
    for (Connection& connection : connections) {
      char byte[1];
      absl::StatusOr<size_t> n = co_await connection.client.Read(byte);
      EXPECT_TRUE(!n.ok() || *n == 0) << "an end, or a reset, because its bytes were not read";
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTimeout(absl::Seconds(60), body())), IsOk());
  dropped.Close();
  thread.join();
}

INSTANTIATE_ON_REAL_BACKENDS(MovingStreamThreadsTest);
INSTANTIATE_ON_REAL_BACKENDS(MovingThreadsTest);

}  // namespace
}  // namespace proactor
