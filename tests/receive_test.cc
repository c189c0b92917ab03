// SPDX-License-Identifier: Apache-2.0

// Receiving into a pool (proactor/buffer_pool.h), as users of TCP see it.

#include "proactor/operation/receive.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/backend/fake_kernel_profile.h"
#include "proactor/buffer_pool.h"
#include "proactor/errors.h"
#include "proactor/feature.h"
#include "proactor/held_buffers.h"
#include "proactor/log.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "proactor/yield.h"
#include "tests/net/connection.h"
#include "tests/support/backends.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

class ReceiveTest : public BackendTest {};

Task<absl::StatusOr<std::string>> ReceiveToEnd(TcpStream& stream, BufferPool& pool) {
  std::string all;
  while (true) {
    Buffer chunk = co_await Try(stream.Receive(pool));
    if (chunk.empty()) co_return all;
    all += chunk.view();
  }
}

// From here on the server receives by itself, where it can.
Task<absl::Status> ReceiveOne(Connection& connection, BufferPool& pool) {
  co_await Try(connection.client.WriteAll("1"));
  Buffer chunk = co_await Try(connection.server.Receive(pool));
  EXPECT_EQ(chunk.view(), "1");
  co_return absl::OkStatus();
}

Task<absl::Status> WriteAndFinish(TcpStream& stream, std::string_view bytes) {
  co_await Try(stream.WriteAll(bytes));
  co_return stream.Shutdown(ShutdownHow::kWrite);
}

// With no code of its own for both directions at once.
Task<absl::Status> EchoAll(TcpStream& stream, BufferPool& pool) {
  while (true) {
    Buffers chunks = co_await Try(stream.ReceiveAll(pool));
    if (chunks.empty()) co_return stream.Shutdown(ShutdownHow::kWrite);
    co_await Try(stream.WriteAll(chunks));
  }
}

TEST_P(ReceiveTest, BytesArriveInOrderAndTheEndIsAnEmptyBuffer) {
  BufferPool pool;
  std::string sent = Pattern(300'000);
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(WriteAndFinish(connection.client, sent));
      received = co_await Try(ReceiveToEnd(connection.server, pool));
      Buffer again = co_await Try(connection.server.Receive(pool));
      EXPECT_TRUE(again.empty()) << "the end is there for good";
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(pool.usage().on_loan, 0);
  EXPECT_EQ(pool.usage().received, 0);
}

TEST_P(ReceiveTest, BulkIsEchoedWhileMoreComes) {
  BufferPool pool;
  std::string sent = Pattern(simulated() ? 300'000 : 8'000'000);
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(WriteAndFinish(connection.client, sent));
      group.Spawn(EchoAll(connection.server, pool));
      received = co_await Try(ReadToEnd(connection.client));
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(pool.usage().on_loan, 0);
}

TEST_P(ReceiveTest, CancelledReceiveLosesNoBytes) {
  BufferPool pool({.smallest = 64, .largest = 256});
  std::string sent = Pattern(20'000);
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto write = [&]() -> Task<absl::Status> {
        for (size_t at = 0; at < sent.size(); at += 200) {
          co_await Try(connection.client.WriteAll(std::string_view(sent).substr(at, 200)));
          co_await Try(Sleep(absl::Microseconds(at % 7)));
        }
        co_return connection.client.Shutdown(ShutdownHow::kWrite);
      };
      group.Spawn(write());
      for (int i = 0;; ++i) {
        absl::StatusOr<Buffer> chunk = co_await WithTimeout(absl::Microseconds(i % 5), connection.server.Receive(pool));
        if (absl::IsDeadlineExceeded(chunk.status())) continue;
        if (!chunk.ok()) co_return chunk.status();
        if (chunk->empty()) break;
        received += chunk->view();
      }
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, NothingIsReceivedInACancelledScope) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("12"));
    Buffer first = co_await Try(connection.server.Receive(pool));
    EXPECT_FALSE(first.empty());
    auto cancelled = [&](CancelScope& scope) -> Task<absl::Status> {
      scope.Cancel();
      absl::StatusOr<Buffer> chunk = co_await connection.server.Receive(pool);
      EXPECT_THAT(chunk, StatusIs(absl::StatusCode::kCancelled));
      co_return absl::OkStatus();
    };
    co_return co_await WithCancelScope(cancelled);
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, OneBufferServesManyStreams) {
  BufferPool pool({.smallest = 4096, .largest = 4096, .most_bytes = 4096});
  constexpr int kStreams = 20;
  constexpr int kMessages = 5;
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> connections;
    for (int i = 0; i < kStreams; ++i) connections.push_back(co_await Try(Connect()));
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      for (Connection& connection : connections) {
        group.Spawn([&] { return EchoAll(connection.server, pool); });
        group.Spawn([&]() -> Task<absl::Status> {
          char reply[100];
          for (int i = 0; i < kMessages; ++i) {
            co_await Try(connection.client.WriteAll("message"));
            for (size_t got = 0; got < 7;) {
              size_t n = co_await Try(connection.client.Read(reply));
              if (n == 0) co_return absl::InternalError("the echo has ended");
              got += n;
            }
          }
          co_return connection.client.Shutdown(ShutdownHow::kWrite);
        });
      }
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(exchange);
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(pool.usage().buffers, 1);
  EXPECT_EQ(pool.usage().on_loan, 0);
}

// In the order in which they found none, whoever comes meanwhile.
TEST_P(ReceiveTest, BuffersGoToThoseWhoHaveWaitedLongest) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64});
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> connections;
    for (int i = 0; i < 4; ++i) connections.push_back(co_await Try(Connect()));
    for (Connection& connection : connections) co_await Try(connection.client.WriteAll("x"));
    Buffer held = co_await Try(connections[0].server.Receive(pool));
    EXPECT_EQ(held.view(), "x");
    std::string order;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int i = 1; i < 4; ++i) {
        group.Spawn([&, i]() -> Task<absl::Status> {
          Buffer chunk = co_await Try(connections[static_cast<size_t>(i)].server.Receive(pool));
          order += static_cast<char>('0' + i);
          co_await Try(Sleep(absl::Milliseconds(1)));
          co_return absl::OkStatus();
        });
        while (pool.usage().waiting < i) co_await Try(Sleep(absl::Milliseconds(1)));
      }
      held = Buffer();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_EQ(order, "123");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, WhoIsCancelledInTheLineTakesNoBuffer) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64});
  auto body = [&]() -> Task<absl::Status> {
    Connection first = co_await Try(Connect());
    Connection second = co_await Try(Connect());
    co_await Try(first.client.WriteAll("1"));
    co_await Try(second.client.WriteAll("2"));
    Buffer held = co_await Try(first.server.Receive(pool));
    absl::StatusOr<Buffer> none = co_await WithTimeout(absl::Milliseconds(5), second.server.Receive(pool));
    EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
    held = Buffer();
    Buffer chunk = co_await Try(second.server.Receive(pool));
    EXPECT_EQ(chunk.view(), "2");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(pool.usage().waiting, 0);
}

// It is the buffer that wakes whoever waits for one, and nothing else.
TEST_P(ReceiveTest, WhoWaitsForABufferIsCountedAndHasNoTimer) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64});
  auto body = [&]() -> Task<absl::Status> {
    Connection first = co_await Try(Connect());
    Connection second = co_await Try(Connect());
    co_await Try(first.client.WriteAll("1"));
    co_await Try(second.client.WriteAll("2"));
    Buffer held = co_await Try(first.server.Receive(pool));
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto receive = [&]() -> Task<absl::Status> {
        Buffer chunk = co_await Try(second.server.Receive(pool));
        EXPECT_EQ(chunk.view(), "2");
        co_return absl::OkStatus();
      };
      group.Spawn(receive());
      while (pool.usage().waiting == 0) co_await Try(Sleep(absl::Microseconds(100)));
      co_await Try(Sleep(absl::Microseconds(100)));  // Whoever ran in the same turn has been counted.
      const int64_t fired = counters().timers_fired.value();
      const int64_t resumes = counters().resumes.value();
      co_await Try(Sleep(simulated() ? absl::Hours(1) : absl::Milliseconds(100)));
      EXPECT_EQ(counters().timers_fired.value(), fired + 1) << "that of this sleep";
      EXPECT_EQ(counters().resumes.value(), resumes + 1);
      EXPECT_EQ(counters().receives_parked.value(), 1);
      held = Buffer();
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(exchange);
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// They have all there is, and go on asking. Whoever else receives waits, can be cancelled, and loses nothing.
TEST_P(ReceiveTest, ConsumersThatNeverReturnTheirBuffersTakeNoBytesOfOthers) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 16 * 64});
  std::string bulk = Pattern(100'000);
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> greedy;
    for (int i = 0; i < 3; ++i) greedy.push_back(co_await Try(Connect()));
    Connection modest = co_await Try(Connect());
    std::vector<Buffer> kept;
    auto keep = [&](TcpStream& stream) -> Task<absl::Status> {
      while (true) kept.push_back(co_await Try(stream.Receive(pool)));
    };
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      for (Connection& connection : greedy) {
        group.Spawn(WriteAndFinish(connection.client, bulk));
        group.Spawn(keep(connection.server));
      }
      while (pool.usage().waiting < 3) co_await Try(Sleep(absl::Microseconds(100)));
      EXPECT_EQ(kept.size(), 16u);
      co_await Try(modest.client.WriteAll("modest"));
      absl::StatusOr<Buffer> none = co_await WithTimeout(absl::Milliseconds(10), modest.server.Receive(pool));
      EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
      EXPECT_EQ(pool.usage().waiting, 3);
      group.Cancel();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_EQ(pool.usage().on_loan, 16);
    kept.clear();
    std::string received;
    while (received.size() < 6) {
      Buffer chunk = co_await Try(modest.server.Receive(pool));
      received += chunk.view();
    }
    EXPECT_EQ(received, "modest");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(pool.usage().on_loan, 0);
  EXPECT_EQ(pool.usage().waiting, 0);
}

// Full duplex by itself: the kernel receives while the coroutine is held up by a peer that does not read.
TEST_P(ReceiveTest, BytesThatComeWhileAWriteWaitsAreReceivedAhead) {
  BufferPool pool;
  std::string answer = Pattern(simulated() ? 300'000 : 16'000'000);
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    // So that no system's buffers hold the answer.
    const int few = 64 << 10;
    system().SetSocketOption(connection.server.descriptor_number(), SOL_SOCKET, SO_SNDBUF, &few, sizeof(few));
    system().SetSocketOption(connection.client.descriptor_number(), SOL_SOCKET, SO_RCVBUF, &few, sizeof(few));
    auto serve = [&]() -> Task<absl::Status> {
      { Buffer request = co_await Try(connection.server.Receive(pool)); }
      co_await Try(connection.server.WriteAll(answer));
      Buffer next = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(next.view().substr(0, 1), "n");
      co_return connection.server.Shutdown(ShutdownHow::kWrite);
    };
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      co_await Try(connection.client.WriteAll("r"));
      group.Spawn(serve());
      co_await Try(Sleep(absl::Milliseconds(20)));
      co_await Try(connection.client.WriteAll("next"));
      // Where there was memory for a ring of buffers.
      while (pool.usage().provided > 0 && pool.usage().received == 0) co_await Try(Sleep(absl::Milliseconds(1)));
      std::string received = co_await Try(ReadToEnd(connection.client));
      EXPECT_TRUE(received == answer);
      co_return absl::OkStatus();
    };
    co_return co_await WithTimeout(absl::Seconds(60), WithTaskGroup(exchange));
  };
  EXPECT_THAT(Run(body()), IsOk());
}

bool KernelIsAtLeast(int major, int minor) {
  utsname name;
  int have_major = 0, have_minor = 0;
  uname(&name);
  std::sscanf(name.release, "%d.%d", &have_major, &have_minor);
  return std::pair(have_major, have_minor) >= std::pair(major, minor);
}

TEST_P(ReceiveTest, WhoDoesNotReceiveIsNotReadAheadWithoutBound) {
  constexpr size_t kMost = 32 << 10;
  // An older kernel goes on as long as something comes, into all that is provided.
  const bool limits_rounds = simulated() || KernelIsAtLeast(6, 8);
  BufferPool pool({.smallest = 1024, .largest = 1024, .most_bytes = 8 << 20, .most_unread = kMost});
  std::string sent = Pattern(simulated() ? 200'000 : 4'000'000);
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(WriteAndFinish(connection.client, sent));
      while (true) {
        Buffer chunk = co_await Try(connection.server.Receive(pool));
        if (chunk.empty()) break;
        received += chunk.view();
        // Time for the sender to get far ahead.
        if (received.size() % 50 == 0) co_await Try(Sleep(absl::Microseconds(100)));
        // What the kernel had begun with when it was told: a round of its own.
        if (limits_rounds) {
          EXPECT_LE(pool.usage().received, static_cast<int>(kMost / 1024 + 160));
        }
      }
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  if (simulated()) {
    // Bytes come in parts of any size there, each in a buffer of its own.
    sent.resize(20'000);
  }
  EXPECT_THAT(Run(body()), IsOk());
}

// One byte in a large buffer is a large buffer that others do not have.
TEST_P(ReceiveTest, WhoDoesNotReceiveKeepsLittleMemoryHoweverSmallTheMessages) {
  BufferPool pool({.smallest = 1024, .largest = 1024, .most_bytes = 8 << 20, .most_unread = 8 << 10});
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("x"));
    { Buffer chunk = co_await Try(connection.server.Receive(pool)); }
    for (int i = 0; i < 100; ++i) {
      co_await Try(connection.client.WriteAll("x"));
      co_await Try(Sleep(absl::Microseconds(100)));
    }
    EXPECT_LE(pool.usage().received, 8 + 20) << "the kernel had begun with no more than it completes at a time";
    size_t received = 0;
    while (received < 100) {
      Buffers chunks = co_await Try(connection.server.ReceiveAll(pool));
      received += chunks.bytes();
    }
    EXPECT_EQ(received, 100u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// What was read ahead of somebody who does not ask for it does not keep others waiting.
TEST_P(ReceiveTest, WhoReceivesGetsABufferThoughAnotherStreamHasReadAhead) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 128});
  auto body = [&]() -> Task<absl::Status> {
    Connection idle = co_await Try(Connect());
    Connection busy = co_await Try(Connect());
    co_await Try(idle.client.WriteAll("1"));
    {
      Buffer chunk = co_await Try(idle.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "1");
    }
    co_await Try(idle.client.WriteAll("2"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_await Try(busy.client.WriteAll("3"));
    {
      Buffer chunk = co_await Try(WithTimeout(absl::Seconds(20), busy.server.Receive(pool)));
      EXPECT_EQ(chunk.view(), "3");
    }
    Buffer chunk = co_await Try(idle.server.Receive(pool));
    EXPECT_EQ(chunk.view(), "2");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, ABufferIsGivenBackWhenAnotherIsMovedIntoIt) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 128});
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    Buffer before, chunk;
    for (int i = 0; i < 5; ++i) {
      co_await Try(connection.client.WriteAll("x"));
      chunk = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "x");
      before = std::move(chunk);
      EXPECT_EQ(pool.usage().on_loan, 1);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTimeout(absl::Seconds(20), body())), IsOk());
}

// However often it has received without waiting, so that its turn comes after that of who closes.
TEST_P(ReceiveTest, ClosingDoesNotEndAStreamInTheMiddleForWhoHasItsResult) {
  BufferPool pool({.smallest = 64, .largest = 64});
  std::string sent = Pattern(64 * 100), received;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    bool ended = false;
    auto receive = [&]() -> Task<absl::Status> {
      while (true) {
        absl::StatusOr<Buffer> chunk = co_await connection.server.Receive(pool);
        if (!chunk.ok()) co_return absl::OkStatus();
        ended |= chunk->empty();
        if (ended) co_return absl::OkStatus();
        received += chunk->view();
      }
    };
    auto close = [&]() -> Task<absl::Status> { co_return co_await connection.server.Close(); };
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(receive());
      group.Spawn(close());
      co_return absl::OkStatus();
    };
    co_await Try(connection.client.WriteAll(sent));
    Buffer first = co_await Try(connection.server.Receive(pool));
    received = first.view();
    co_await Try(Sleep(absl::Milliseconds(1)));  // What reads ahead has done so.
    co_await Try(WithTaskGroup(both));
    EXPECT_FALSE(ended);
    EXPECT_TRUE(sent.starts_with(received));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, AStreamIsReadInBothWays) {
  BufferPool pool({.smallest = 64, .largest = 64});
  std::string sent = Pattern(50'000);
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(WriteAndFinish(connection.client, sent));
      for (int i = 0;; ++i) {
        char head[50], tail[100];
        std::span<char> list[] = {head, tail};
        size_t before = received.size();
        if (i % 3 == 0) {
          Buffer chunk = co_await Try(connection.server.Receive(pool));
          received += chunk.view();
        } else if (i % 3 == 1) {
          size_t n = co_await Try(connection.server.Read(tail));
          received.append(tail, n);
        } else {
          size_t n = co_await Try(connection.server.Read(list));
          received.append(head, std::min(n, sizeof(head)));
          if (n > sizeof(head)) received.append(tail, n - sizeof(head));
        }
        if (received.size() == before) break;
      }
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, APeerReadsTheEndOfAStreamThatIsDroppedWhileItReceives) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("x"));
    {
      Buffer chunk = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "x");
    }
    connection.server = TcpStream();
    char byte[1];
    size_t n = co_await Try(connection.client.Read(byte));
    EXPECT_EQ(n, 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(pool.usage().received, 0);
}

TEST_P(ReceiveTest, ClosingAStreamThatReceivesEndsItForThePeer) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("x"));
    {
      Buffer chunk = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "x");
    }
    co_await Try(connection.server.Close());
    char byte[1];
    size_t n = co_await Try(connection.client.Read(byte));
    EXPECT_EQ(n, 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// As it is when the kernel has them: what was not read was not taken.
TEST_P(ReceiveTest, APeerIsToldByAResetThatItsBytesWereNotRead) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(ReceiveOne(connection, pool));
    co_await Try(connection.client.WriteAll("2"));
    AwaitDelivery(system(), connection.client.descriptor_number());
    co_await Try(Sleep(absl::Milliseconds(5)));
    connection.server = TcpStream();
    char byte[1];
    absl::StatusOr<size_t> n = co_await connection.client.Read(byte);
    EXPECT_THAT(n, StatusIs(absl::StatusCode::kUnavailable));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, AResetComesBehindWhatWasReceived) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("1"));
    Buffer first = co_await Try(connection.server.Receive(pool));
    EXPECT_EQ(first.view(), "1");
    connection.client.Reset();
    absl::StatusOr<Buffer> chunk = co_await connection.server.Receive(pool);
    EXPECT_THAT(chunk, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("reset by peer")));
    chunk = co_await connection.server.Receive(pool);
    EXPECT_THAT(chunk, IsOk());
    EXPECT_TRUE(!chunk.ok() || chunk->empty());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, BuffersGrowWithBulkAndShrinkWithChat) {
  BufferPool pool({.smallest = 64, .largest = 1024, .most_bytes = 1 << 20});
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    std::string sent = Pattern(simulated() ? 60'000 : 2'000'000);  // More than any socket holds.
    size_t largest = 0;
    auto bulk = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn([&]() -> Task<absl::Status> { co_return co_await connection.client.WriteAll(sent); });
      while (received.size() < sent.size()) {
        Buffer chunk = co_await Try(connection.server.Receive(pool));
        largest = std::max(largest, chunk.size());
        received += chunk.view();
      }
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(bulk));
    EXPECT_TRUE(received == sent);
    if (!simulated()) {
      EXPECT_EQ(largest, 1024u);
    }
    for (int i = 0; i < 3 * ReceiveQueue::kLittleBeforeSmaller; ++i) {
      co_await Try(connection.client.WriteAll("x"));
      Buffer chunk = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "x");
    }
    // Small again: what is longer comes in parts.
    co_await Try(connection.client.WriteAll(std::string_view(sent).substr(0, 100)));
    Buffer chunk = co_await Try(connection.server.Receive(pool));
    EXPECT_LE(chunk.size(), 64u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, WhatIsOnLoanIsReportedWithWhoTookIt) {
  auto pool = std::make_unique<BufferPool>();
  static std::vector<std::string> lines;
  lines.clear();
  Buffer kept;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("x"));
    kept = co_await Try(connection.server.Receive(*pool));
    co_await Try(Sleep(absl::Milliseconds(20)));
    EXPECT_EQ(pool->usage().on_loan, 1);
    EXPECT_THAT(pool->Dump(), HasSubstr("receive_test.cc"));
    EXPECT_THAT(pool->Dump(), HasSubstr("a buffer of 4096 bytes"));
    EXPECT_THAT(pool->Dump(), HasSubstr(simulated() ? ", for 20ms\n" : ", for "));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  LogSink before = SetLogSink([](LogSeverity, std::string_view line) { lines.emplace_back(line); });
  pool.reset();
  SetLogSink(before);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], HasSubstr("1 of its buffers"));
  EXPECT_THAT(lines[0], HasSubstr("receive_test.cc"));
  EXPECT_EQ(kept.view(), "x") << "it stays valid";
}

// More of them would leave the caches before they are used again (RATIONALE.md).
TEST_P(ReceiveTest, TheKernelHasAsManyLargeBuffersAsThereAreReceivesAhead) {
  constexpr int kStreams = 20;
  BufferPool pool({.smallest = 64 << 10, .largest = 64 << 10});
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> connections;
    connections.push_back(co_await Try(Connect()));
    co_await Try(ReceiveOne(connections[0], pool));
    const bool by_itself = pool.usage().provided > 0;  // There was memory for a ring of buffers.
    if (GetParam() == Backend::kFakeIoUring) {         // There always is.
      EXPECT_EQ(by_itself, scheduler().proactor().capabilities().Has(Feature::kMultishotReceive));
    }
    std::vector<Buffer> kept;
    for (int i = 0; i < 2 * kStreams; ++i) {
      co_await Try(connections[0].client.WriteAll("x"));
      kept.push_back(co_await Try(connections[0].server.Receive(pool)));
    }
    kept.clear();
    EXPECT_GE(pool.usage().buffers, 2 * kStreams);
    EXPECT_LE(pool.usage().provided, by_itself ? 8 : 0);
    while (connections.size() < kStreams) {
      connections.push_back(co_await Try(Connect()));
      co_await Try(ReceiveOne(connections.back(), pool));
    }
    EXPECT_LE(pool.usage().provided, by_itself ? kStreams : 0);
    // Of the first, what is there when it is asked for is received one by one by now.
    if (by_itself && GetParam() == Backend::kIoUring) {
      EXPECT_GE(pool.usage().provided, kStreams - 1);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// As on a busy server: what is asked for has come already.
Task<absl::Status> BecomesBusy(Connection& connection, BufferPool& pool) {
  for (int i = 0; i < 20; ++i) {
    co_await Try(connection.client.WriteAll("x"));
    co_await Try(Sleep(absl::Microseconds(100)));
    Buffer chunk = co_await Try(connection.server.Receive(pool));
    EXPECT_EQ(chunk.view(), "x");
  }
  co_return absl::OkStatus();
}

// What fills its buffer is not the last, and is received ahead again, until the end.
Task<absl::Status> ReceivesMuch(Connection& connection, BufferPool& pool) {
  const std::string much = Pattern(100'000);
  std::string received;
  auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(WriteAndFinish(connection.client, much));
    received = co_await Try(ReceiveToEnd(connection.server, pool));
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(exchange));
  EXPECT_TRUE(received == much);
  EXPECT_EQ(pool.usage().held, 0);
  co_return absl::OkStatus();
}

// Whether a receive that has to wait, until it is cancelled, holds a buffer.
Task<absl::StatusOr<bool>> HoldsWhileItWaits(Connection& connection, BufferPool& pool) {
  const int before = pool.usage().held;
  bool holds = false;
  auto receive = [&]() -> Task<absl::Status> {
    absl::StatusOr<Buffer> nothing = co_await connection.server.Receive(pool);
    EXPECT_THAT(nothing, StatusIs(absl::StatusCode::kCancelled));
    co_return absl::OkStatus();
  };
  auto both = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(receive());
    co_await Try(Sleep(absl::Microseconds(100)));
    holds = pool.usage().held > before;
    group.Cancel("it has been seen");
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(both));
  EXPECT_EQ(pool.usage().held, before);
  co_return holds;
}

TEST_P(ReceiveTest, ABusyStreamHoldsABufferWhileItWaitsAndLosesNothing) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(BecomesBusy(connection, pool));
    bool holds = co_await Try(HoldsWhileItWaits(connection, pool));
    co_await Try(BecomesBusy(connection, pool));
    if (GetParam() == Backend::kIoUring && scheduler().proactor().capabilities().Has(Feature::kMultishotReceive)) {
      EXPECT_TRUE(holds || pool.usage().provided == 0);
    }
    // In both ways to read, with nothing between.
    co_await Try(connection.client.WriteAll("abcdef"));
    char one[1];
    co_await Try(connection.server.Read(one));
    EXPECT_EQ(one[0], 'a');
    std::string rest;
    while (rest.size() < 5) {
      Buffer chunk = co_await Try(connection.server.Receive(pool));
      rest += chunk.view();
    }
    EXPECT_EQ(rest, "bcdef");
    co_await Try(ReceivesMuch(connection, pool));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Each message is as large as the largest buffer, so that what fills one may well be all; until it is not.
TEST_P(ReceiveTest, ABusyStreamWhoseMessagesFillTheLargestBufferHoldsOneUntilThereIsMore) {
  BufferPool pool({.smallest = 64, .largest = 64});
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    const std::string message = Pattern(64);
    auto receive_early = [&](int times) -> Task<absl::Status> {
      for (int i = 0; i < times; ++i) {
        co_await Try(connection.client.WriteAll(message));
        co_await Try(Sleep(absl::Microseconds(100)));
        std::string received;
        while (received.size() < message.size()) {
          Buffer chunk = co_await Try(connection.server.Receive(pool));
          received += chunk.view();
        }
        EXPECT_TRUE(received == message);
      }
      co_return absl::OkStatus();
    };
    co_await Try(receive_early(20));
    bool holds = co_await Try(HoldsWhileItWaits(connection, pool));
    if (GetParam() == Backend::kIoUring && scheduler().proactor().capabilities().Has(Feature::kMultishotReceive)) {
      EXPECT_TRUE(holds || pool.usage().provided == 0);
    }
    // More than 64 of them: it looks ahead in between, and loses nothing.
    co_await Try(receive_early(200));
    co_await Try(ReceivesMuch(connection, pool));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Where the kernel keeps the files of busy streams, the peer must hear of the end all the same.
TEST_P(ReceiveTest, TheEndOfABusyStreamIsSeenByItsPeer) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    const bool by_itself = scheduler().proactor().capabilities().Has(Feature::kMultishotReceive);
    const bool registers = by_itself && scheduler().proactor().capabilities().Has(Feature::kRegisteredFiles);
    for (const char* end : {"dropped", "closed", "reset"}) {
      Connection connection = co_await Try(Connect());
      const int64_t before = scheduler().counters().registered_files.value();
      co_await Try(BecomesBusy(connection, pool));
      const int64_t registered = scheduler().counters().registered_files.value() - before;
      EXPECT_LE(registered, registers ? 1 : 0);
      if (registers && GetParam() == Backend::kIoUring) {
        EXPECT_TRUE(registered == 1 || pool.usage().provided == 0);
      }
      co_await Try(connection.server.WriteAll("last"));
      if (end == std::string_view("dropped")) {
        connection.server = TcpStream();
      } else if (end == std::string_view("closed")) {
        co_await Try(connection.server.Close());
      } else {
        connection.server.Reset();
      }
      absl::StatusOr<std::string> read = co_await WithTimeout(absl::Seconds(20), ReadToEnd(connection.client));
      if (end == std::string_view("reset")) {
        EXPECT_THAT(read, StatusIs(absl::StatusCode::kUnavailable)) << "with what was read before lost or not";
      } else {
        EXPECT_THAT(read, IsOkAndHolds("last"));
      }
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// One that gets what a busy one leaves is not taken for it.
TEST_P(ReceiveTest, ManyBusyStreamsComeAndGoWithoutBeingMixedUp) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> connections;
    for (int i = 0; i < 3; ++i) {
      connections.push_back(co_await Try(Connect()));
      co_await Try(BecomesBusy(connections.back(), pool));
    }
    constexpr std::string_view kWords = "012";
    for (size_t round = 0; round < 9; ++round) {
      for (size_t i = 0; i < kWords.size(); ++i) co_await Try(connections[i].server.WriteAll(kWords.substr(i, 1)));
      const size_t place = round % kWords.size();
      TcpStream left = std::move(connections[place].client);
      connections[place] = co_await Try(Connect());
      std::string read = co_await Try(WithTimeout(absl::Seconds(20), ReadToEnd(left)));
      EXPECT_FALSE(read.empty());
      EXPECT_EQ(read, std::string(read.size(), kWords[place]));
      co_await Try(BecomesBusy(connections[place], pool));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, ABusyStreamIsClosedOrEndsWhileItWaits) {
  for (const bool closes : {false, true}) {
    BufferPool pool;
    auto body = [&]() -> Task<absl::Status> {
      Connection connection = co_await Try(Connect());
      co_await Try(BecomesBusy(connection, pool));
      absl::StatusOr<Buffer> chunk = absl::UnknownError("nothing yet");
      auto receive = [&]() -> Task<absl::Status> {
        chunk = co_await connection.server.Receive(pool);
        co_return absl::OkStatus();
      };
      auto both = [&](TaskGroup& group) -> Task<absl::Status> {
        group.Spawn(receive());
        co_await Try(Sleep(absl::Microseconds(100)));
        if (closes) co_return co_await connection.server.Close();
        co_return connection.client.Shutdown(ShutdownHow::kWrite);
      };
      co_await Try(WithTaskGroup(both));
      if (closes) {
        EXPECT_THAT(chunk, StatusIs(absl::StatusCode::kCancelled));
      } else {
        EXPECT_THAT(chunk, IsOk());
        EXPECT_TRUE(chunk.ok() && chunk->empty());
      }
      EXPECT_EQ(pool.usage().held, 0);
      EXPECT_EQ(pool.usage().on_loan, 0);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(body()), IsOk());
  }
}

// Who comes while a stream is being closed is told so, with whatever pool, and takes nothing from whoever still waits.
TEST_P(ReceiveTest, AnotherPoolIsNotTakenWhileABusyStreamIsClosed) {
  auto pool = std::make_unique<BufferPool>();
  BufferPool other({.smallest = 64, .largest = 64});
  std::weak_ptr<internal::BufferStore> store = pool->store();
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(BecomesBusy(connection, *pool));
    auto receive = [&]() -> Task<absl::Status> {
      absl::StatusOr<Buffer> cancelled = co_await connection.server.Receive(*pool);
      EXPECT_THAT(cancelled, StatusIs(absl::StatusCode::kCancelled));
      co_return absl::OkStatus();
    };
    auto close = [&]() -> Task<absl::Status> { co_return co_await connection.server.Close(); };
    auto come_late = [&]() -> Task<absl::Status> {
      absl::StatusOr<Buffer> closed = co_await connection.server.Receive(other);
      EXPECT_FALSE(closed.ok());
      co_return absl::OkStatus();
    };
    auto all = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(receive());
      co_await Try(Sleep(absl::Microseconds(100)));
      group.Spawn(close());
      group.Spawn(come_late());
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(all));
    for (const BufferPoolUsage& usage : {pool->usage(), other.usage()}) {
      EXPECT_EQ(usage.held + usage.on_loan + usage.received + usage.waiting, 0);
    }
    connection.server = TcpStream();
    pool.reset();
    EXPECT_TRUE(store.expired()) << "a buffer has not come back";
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Waits for the bytes "at last".
Task<absl::Status> AwaitAtLast(TcpStream& stream, BufferPool& pool, int& served) {
  std::string received;
  while (received.size() < 7) {
    Buffer chunk = co_await Try(stream.Receive(pool));
    received += chunk.view();
  }
  EXPECT_EQ(received, "at last");
  ++served;
  co_return absl::OkStatus();
}

// The same without a buffer of the pool: the place is given up, and nothing is interrupted.
Task<absl::Status> ReadAtLast(TcpStream& stream, int& served) {
  char buffer[7];
  for (size_t size = 0; size < sizeof(buffer);) {
    size_t n = co_await Try(stream.Read(std::span(buffer).subspan(size)));
    size += n;
  }
  EXPECT_EQ(std::string_view(buffer, sizeof(buffer)), "at last");
  ++served;
  co_return absl::OkStatus();
}

// There are places for a few. Who has one and has become idle gives it up, and loses nothing by that.
TEST_P(ReceiveTest, IdleStreamsGiveUpWhatTheyHoldToBusyOnes) {
  constexpr int kPlaces = internal::HeldBuffers::kMost;
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> idle;
    for (int i = 0; i < kPlaces; ++i) {
      idle.push_back(co_await Try(Connect()));
      co_await Try(BecomesBusy(idle.back(), pool));
    }
    std::vector<Connection> busy;
    for (int i = 0; i < 3; ++i) busy.push_back(co_await Try(Connect()));
    int served = 0;
    auto wait = [&](TcpStream& stream) { return AwaitAtLast(stream, pool, served); };
    auto read = [&](TcpStream& stream) { return ReadAtLast(stream, served); };
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      for (size_t i = 0; i < idle.size(); ++i) group.Spawn(i < 2 ? read(idle[i].server) : wait(idle[i].server));
      co_await Try(Sleep(absl::Microseconds(100)));
      const bool all_hold = pool.usage().held == kPlaces - 2;
      if (GetParam() == Backend::kIoUring && pool.usage().provided > 0) {
        EXPECT_TRUE(all_hold);
      }
      for (Connection& newcomer : busy) {
        bool holds = !all_hold;
        for (int i = 0; i < 1000 && !holds; ++i) {
          co_await Try(BecomesBusy(newcomer, pool));
          holds = co_await Try(HoldsWhileItWaits(newcomer, pool));
          co_await Try(BecomesBusy(newcomer, pool));
        }
        EXPECT_TRUE(holds);
        group.Spawn(wait(newcomer.server));
      }
      EXPECT_EQ(served, 0) << "they still wait";
      for (std::vector<Connection>* connections : {&idle, &busy}) {
        for (Connection& connection : *connections) co_await Try(connection.client.WriteAll("at last"));
      }
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_EQ(served, kPlaces + 3);
    EXPECT_EQ(pool.usage().held, 0);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveTest, ThousandsWaitForOneBuffer) {
  const int streams = 1000;
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64});
  int served = 0;
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> connections;
    for (int i = 0; i < streams; ++i) connections.push_back(co_await Try(Connect()));
    auto receive = [&](TcpStream& stream) -> Task<absl::Status> {
      Buffer chunk = co_await Try(stream.Receive(pool));
      EXPECT_EQ(chunk.view(), "x");
      ++served;
      co_await Try(Yield());
      co_return absl::OkStatus();
    };
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      for (Connection& connection : connections) group.Spawn(receive(connection.server));
      for (Connection& connection : connections) co_await Try(connection.client.WriteAll("x"));
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(exchange);
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(served, streams);
}

INSTANTIATE_ON_EVERY_BACKEND(ReceiveTest);

// With two threads, each with a scheduler of its own.
class ReceiveThreadsTest : public BackendTest {
 protected:
  // Runs `task` on another thread's scheduler, while this one's goes on.
  template <class MakeTask>
  Task<absl::Status> Elsewhere(MakeTask make_task) {
    std::atomic<bool> done = false;
    absl::Status status;
    std::thread thread([&] {
      Bench bench(GetParam());
      status = bench.Run(make_task());
      done.store(true, std::memory_order_release);
    });
    while (!done.load(std::memory_order_acquire)) co_await Sleep(absl::Milliseconds(1));
    thread.join();
    co_return status;
  }
};

class ReceiveDeathTest : public BackendTest {};

// Though the second scheduler may lie where the first did.
TEST_P(ReceiveDeathTest, APoolIsOfOneSchedulerOnly) {
  BufferPool pool;
  auto receive = [&] {
    auto body = [&]() -> Task<absl::Status> {
      Connection connection = co_await Try(Connect());
      co_return co_await ReceiveOne(connection, pool);
    };
    Bench bench(GetParam());
    EXPECT_THAT(bench.Run(body()), IsOk());
  };
  receive();
  EXPECT_DEATH(receive(), "used by two schedulers");
}

TEST_P(ReceiveThreadsTest, ABufferThatIsDroppedElsewhereComesHome) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64});
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    for (int i = 0; i < 3; ++i) {
      co_await Try(connection.client.WriteAll("x"));
      Buffer chunk = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "x");
      std::thread thread([chunk = std::move(chunk)] {});
      thread.join();
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveThreadsTest, ABufferMayOutliveItsPoolAndItsScheduler) {
  Buffer kept;
  LogSink before = SetLogSink([](LogSeverity, std::string_view) {});
  {
    Bench bench(GetParam());
    BufferPool pool;
    auto body = [&]() -> Task<absl::Status> {
      Connection connection = co_await Try(Connect());
      co_await Try(connection.client.WriteAll("x"));
      kept = co_await Try(connection.server.Receive(pool));
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(body()), IsOk());
  }
  SetLogSink(before);
  EXPECT_EQ(kept.view(), "x");
  std::thread thread([kept = std::move(kept)] {});
  thread.join();
}

TEST_P(ReceiveThreadsTest, AStreamTakesWhatItHasReceivedToAnotherScheduler) {
  BufferPool pool({.smallest = 64, .largest = 64});
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(ReceiveOne(connection, pool));
    std::string sent = Pattern(1000);
    co_await Try(connection.client.WriteAll(sent));
    EXPECT_THAT(connection.client.Shutdown(ShutdownHow::kWrite), IsOk());
    AwaitDelivery(system(), connection.client.descriptor_number());
    // Time to read ahead here: nothing more happens to the stream while it moves.
    co_await Try(Sleep(absl::Milliseconds(20)));
    std::string received;
    BufferPool other;
    auto there = [&]() -> Task<absl::Status> {
      received = co_await Try(ReceiveToEnd(connection.server, other));
      co_return absl::OkStatus();
    };
    absl::Status status = co_await Elsewhere(there);
    EXPECT_THAT(status, IsOk());
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// While others would like to have the places that these streams have left or are about to leave.
TEST_P(ReceiveThreadsTest, ABusyStreamGoesToAnotherSchedulerWhileItsPlaceIsWanted) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    std::vector<Connection> idle;
    for (int i = 0; i < internal::HeldBuffers::kMost; ++i) {
      idle.push_back(co_await Try(Connect()));
      co_await Try(BecomesBusy(idle.back(), pool));
    }
    Connection newcomer = co_await Try(Connect());
    BufferPool other;
    std::string received;
    auto there = [&]() -> Task<absl::Status> {
      for (Connection& connection : idle) received += co_await Try(ReceiveToEnd(connection.server, other));
      co_return absl::OkStatus();
    };
    auto go = [&]() -> Task<absl::Status> { co_return co_await Elsewhere(there); };
    auto here = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(go());
      for (Connection& connection : idle) {
        co_await Try(BecomesBusy(newcomer, pool));
        co_await Try(WriteAndFinish(connection.client, "x"));
      }
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(here));
    EXPECT_EQ(received, std::string(idle.size(), 'x'));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Both have been busy, each with its own scheduler, where both may be known by the same number.
TEST_P(ReceiveThreadsTest, ABusyStreamThatWritesElsewhereFirstIsNotTakenForOneFromThere) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection moves = co_await Try(Connect());
    co_await Try(BecomesBusy(moves, pool));
    auto there = [&]() -> Task<absl::Status> {
      BufferPool other;
      Connection stays = co_await Try(Connect());
      co_await Try(BecomesBusy(stays, other));
      co_await Try(moves.server.WriteAll("from the one that has moved"));
      co_await Try(stays.server.WriteAll("from the one that stays"));
      stays.server = TcpStream();
      std::string read = co_await Try(WithTimeout(absl::Seconds(20), ReadToEnd(stays.client)));
      EXPECT_EQ(read, "from the one that stays");
      // It comes for good while it goes on writing, and is busy here.
      co_await Try(moves.client.WriteAll("x"));
      auto write = [&]() -> Task<absl::Status> {
        for (int i = 0; i < 100; ++i) co_await Try(moves.server.WriteAll("."));
        co_return absl::OkStatus();
      };
      auto both = [&](TaskGroup& group) -> Task<absl::Status> {
        group.Spawn(write());
        Buffer chunk = co_await Try(moves.server.Receive(other));
        EXPECT_EQ(chunk.view(), "x");
        co_return absl::OkStatus();
      };
      co_await Try(WithTaskGroup(both));
      co_await Try(BecomesBusy(moves, other));
      moves.server = TcpStream();
      co_return absl::OkStatus();
    };
    absl::Status status = co_await Elsewhere(there);
    EXPECT_THAT(status, IsOk());
    std::string read = co_await Try(WithTimeout(absl::Seconds(20), ReadToEnd(moves.client)));
    EXPECT_EQ(read, "from the one that has moved" + std::string(100, '.'));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveThreadsTest, AStreamIsClosedWhileItComesToAnotherScheduler) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(ReceiveOne(connection, pool));
    BufferPool other;
    absl::Status received = absl::UnknownError("has not ended");
    std::string order;
    auto receive = [&]() -> Task<absl::Status> {
      received = (co_await connection.server.Receive(other)).status();
      order += 'r';
      co_return absl::OkStatus();
    };
    auto close = [&]() -> Task<absl::Status> {
      co_await Try(connection.server.Close());
      order += 'c';
      co_return absl::OkStatus();
    };
    auto both = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(receive());
      group.Spawn(close());
      co_return absl::OkStatus();
    };
    absl::Status status = co_await Elsewhere([&] { return WithTaskGroup(both); });
    EXPECT_THAT(status, IsOk());
    EXPECT_THAT(received, StatusIs(absl::StatusCode::kCancelled, HasSubstr("its descriptor is closed")));
    EXPECT_EQ(order, "rc");
    char byte[1];
    size_t n = co_await Try(connection.client.Read(byte));
    EXPECT_EQ(n, 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveThreadsTest, AStreamThatReceivesIsClosedOnAnotherScheduler) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(ReceiveOne(connection, pool));
    auto close = [&]() -> Task<absl::Status> { co_return co_await connection.server.Close(); };
    absl::Status status = co_await Elsewhere(close);
    EXPECT_THAT(status, IsOk());
    char byte[1];
    size_t n = co_await Try(connection.client.Read(byte));
    EXPECT_EQ(n, 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveThreadsTest, AStreamThatReceivesIsDroppedOnAnotherThread) {
  BufferPool pool;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(ReceiveOne(connection, pool));
    std::thread thread([stream = std::move(connection.server)] {});
    thread.join();
    char byte[1];
    size_t n = co_await Try(connection.client.Read(byte));
    EXPECT_EQ(n, 0u);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(ReceiveThreadsTest, AListenerTakesItsConnectionsToAnotherScheduler) {
  auto body = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    std::vector<TcpStream> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(co_await Try(TcpStream::Connect(address)));
    TcpStream first = co_await Try(listener.Accept());
    co_await Try(Sleep(absl::Milliseconds(50)));
    int accepted = 0;
    auto there = [&]() -> Task<absl::Status> {
      for (; accepted < 9; ++accepted) {
        TcpStream stream = co_await Try(listener.Accept());
      }
      co_return absl::OkStatus();
    };
    absl::Status status = co_await Elsewhere(there);
    EXPECT_THAT(status, IsOk());
    EXPECT_EQ(accepted, 9);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_REAL_BACKENDS(ReceiveDeathTest);
INSTANTIATE_ON_REAL_BACKENDS(ReceiveThreadsTest);

struct Reception {
  bool by_itself;      // The kernel is still asked to receive by itself.
  size_t largest = 0;  // What came in one buffer.
};

// Over kernels that seem to have what it takes to receive by themselves, and have not.
Reception ReceiveOver(FakeKernelProfile profile) {
  auto world = MakeFakeRingWorld({.seed = 7}, {.profile = profile, .faults = FakeFaults::All()});
  const Proactor& proactor = world->scheduler().proactor();
  EXPECT_TRUE(proactor.capabilities().Has(Feature::kMultishotReceive));
  Reception reception;
  BufferPool pool({.smallest = 64, .largest = 4096});
  std::string sent = Pattern(300'000), received;
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(WriteAndFinish(connection.client, sent));
      while (true) {
        Buffer chunk = co_await Try(connection.server.Receive(pool));
        if (chunk.empty()) co_return absl::OkStatus();
        received += chunk.view();
        reception.largest = std::max(reception.largest, chunk.size());
      }
    };
    co_return co_await WithTaskGroup(exchange);
  };
  EXPECT_THAT(world->Run(body()), IsOk());
  EXPECT_TRUE(received == sent);
  EXPECT_EQ(pool.usage().on_loan + pool.usage().received, 0);
  reception.by_itself = proactor.capabilities().Has(Feature::kMultishotReceive);
  return reception;
}

TEST(ReceiveKernelTest, ARequestThatIsRefusedIsNotMadeAgain) {
  EXPECT_TRUE(ReceiveOver(FakeKernelProfile::Newest()).by_itself);
  FakeKernelProfile refuses = FakeKernelProfile::Newest();
  refuses.multishot_receive = false;
  EXPECT_FALSE(ReceiveOver(refuses).by_itself);
}

TEST(ReceiveKernelTest, WithoutMemoryForARingOfBuffersCallsReceive) {
  FakeKernelProfile refuses = FakeKernelProfile::Newest();
  refuses.buffer_rings = 0;
  EXPECT_TRUE(ReceiveOver(refuses).by_itself) << "it may have memory for the next pool";
}

// With memory for small buffers only, bulk is not received in small ones for ever.
TEST(ReceiveKernelTest, WithoutMemoryForARingOfLargerBuffersCallsReceiveThose) {
  FakeKernelProfile refuses = FakeKernelProfile::Newest();
  refuses.buffer_rings = 1;
  EXPECT_GT(ReceiveOver(refuses).largest, 64u);
}

}  // namespace
}  // namespace proactor
