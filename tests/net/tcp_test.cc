// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/tcp.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/errors.h"
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

using ::testing::HasSubstr;

class TcpStreamTest : public BackendTest {};

TEST_P(TcpStreamTest, BytesArriveInOrderAndTheEndIsZeroBytes) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string sent = Pattern(100'000);
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto write = [&]() -> Task<absl::Status> {
        co_await Try(connection.client.WriteAll(sent));
        co_return connection.client.Shutdown(ShutdownHow::kWrite);
      };
      group.Spawn(write());
      received = co_await Try(ReadToEnd(connection.server));
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, MoreThanTheBuffersHoldIsWrittenInParts) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string sent = Pattern(20'000'000);
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto write = [&]() -> Task<absl::Status> {
        co_await Try(connection.client.WriteAll(sent));
        co_return connection.client.Shutdown(ShutdownHow::kWrite);
      };
      group.Spawn(write());
      std::string buffer(1 << 20, '\0');
      while (size_t n = co_await Try(connection.server.Read(buffer))) received.append(buffer, 0, n);
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, OneCoroutineReadsWhileAnotherWrites) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto read = [&]() -> Task<absl::Status> {
        char buffer[10];
        for (size_t got = 0; got < 4;) got += co_await Try(connection.client.Read(buffer));
        co_return absl::OkStatus();
      };
      group.Spawn(read());
      co_await Try(Sleep(absl::Milliseconds(1)));
      co_await Try(connection.client.WriteAll("ping"));
      char buffer[10];
      for (size_t got = 0; got < 4;) got += co_await Try(connection.server.Read(buffer));
      absl::Status status = co_await connection.server.WriteAll("pong");
      co_await group.Join();
      co_return status;
    };
    absl::Status status = co_await WithTaskGroup(exchange);
    co_return status;
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, AListOfBuffersIsWrittenAsOne) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::vector<std::string> contents;
    // More than the kernel takes at once (IOV_MAX).
    for (size_t i = 0; i < 2500; ++i) contents.push_back(Pattern(i % 97));
    std::vector<std::string_view> pieces(contents.begin(), contents.end());
    std::string expected;
    for (const std::string& piece : contents) expected += piece;
    std::string received;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto write = [&]() -> Task<absl::Status> {
        co_await Try(connection.client.WriteAll(pieces));
        co_return connection.client.Shutdown(ShutdownHow::kWrite);
      };
      group.Spawn(write());
      received = co_await Try(ReadToEnd(connection.server));
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_TRUE(received == expected);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, ReadsIntoOneBufferAfterTheOther) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("0123456789"));
    co_await Try(connection.client.Shutdown(ShutdownHow::kWrite));
    std::string received;
    char first[3], second[4];
    std::span<char> buffers[] = {first, second};
    while (size_t n = co_await Try(connection.server.Read(buffers))) {
      received.append(first, std::min<size_t>(n, 3));
      if (n > 3) received.append(second, n - 3);
    }
    EXPECT_EQ(received, "0123456789");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, ResetFailsWhatThePeerDoes) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    absl::StatusOr<size_t> n;
    auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
      auto read = [&]() -> Task<absl::Status> {
        char buffer[10];
        n = co_await connection.server.Read(buffer);
        co_return absl::OkStatus();
      };
      group.Spawn(read());
      co_await Try(Sleep(absl::Milliseconds(1)));
      connection.client.Reset();
      EXPECT_FALSE(connection.client);
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(exchange));
    EXPECT_EQ(ErrnoOf(n.status()), ECONNRESET) << n.status();
    absl::Status status = co_await connection.server.WriteAll("x");
    EXPECT_EQ(ErrnoOf(status), EPIPE) << status;
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, ResetDropsWhatThePeerHasNotTaken) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string sent = Pattern(50'000'000);
    absl::Status status = co_await WithTimeout(absl::Milliseconds(50), connection.client.WriteAll(sent));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    connection.client.Reset();
    absl::StatusOr<std::string> received = co_await ReadToEnd(connection.server);
    EXPECT_EQ(ErrnoOf(received.status()), ECONNRESET) << received.status();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, HalfCloseLetsTheOtherDirectionGoOn) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("question"));
    co_await Try(connection.client.Shutdown(ShutdownHow::kWrite));
    std::string question = co_await Try(ReadToEnd(connection.server));
    EXPECT_EQ(question, "question");
    co_await Try(connection.server.WriteAll("answer"));
    co_await Try(connection.server.Shutdown(ShutdownHow::kBoth));
    std::string answer = co_await Try(ReadToEnd(connection.client));
    EXPECT_EQ(answer, "answer");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// What has arrived is taken before the end is seen, though epoll reports EPOLLHUP by then.
TEST_P(TcpStreamTest, WhatIsUnreadComesBeforeTheEndWhenBothDirectionsAreClosed) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    // Whoever has waited once is known to epoll.
    char buffer[4];
    absl::StatusOr<size_t> n = co_await WithTimeout(absl::Milliseconds(1), connection.client.Read(buffer));
    EXPECT_THAT(n, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_await Try(connection.client.Shutdown(ShutdownHow::kWrite));
    std::string request = co_await Try(ReadToEnd(connection.server));
    EXPECT_EQ(request, "");
    co_await Try(connection.server.WriteAll("the last words"));
    co_await Try(connection.server.Close());
    co_await Try(Sleep(absl::Milliseconds(1)));  // The reports are taken with nobody waiting.
    n = co_await connection.client.Read(buffer);
    EXPECT_THAT(n, IsOk());
    std::string text(buffer, n.value_or(0));
    text += co_await Try(ReadToEnd(connection.client));
    EXPECT_EQ(text, "the last words");
    n = co_await connection.client.Read(buffer);
    EXPECT_THAT(n, IsOkAndHolds(0u)) << "the end stays";
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, ReadingIntoNothingIsRefusedAndWritingNothingIsFine) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    absl::StatusOr<size_t> read = co_await connection.client.Read(std::span<char>());
    EXPECT_THAT(read, StatusIs(absl::StatusCode::kInvalidArgument));
    co_return co_await connection.client.WriteAll("");
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, APeerThatClosesWithUnreadBytesResetsTheConnection) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("never read"));
    // Wait until it is there, so that the close finds it unread.
    char first[1];
    co_await Try(connection.server.Read(first));
    connection.server = TcpStream();
    char buffer[10];
    absl::StatusOr<size_t> read = co_await connection.client.Read(buffer);
    EXPECT_THAT(read, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("recv: Connection reset by peer")));
    EXPECT_EQ(ErrnoOf(read.status()), ECONNRESET);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, WritingToAClosedPeerFailsAndSaysHowMuchWasTaken) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    connection.server = TcpStream();
    absl::Status status;
    // The first write may still find room; the reset that it provokes makes a later one fail.
    for (int i = 0; i < 1000 && status.ok(); ++i) {
      status = co_await connection.client.WriteAll(std::string_view("x"));
      co_await Try(Sleep(absl::Milliseconds(1)));
    }
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_EQ(BytesTransferred(status), 0u);
    co_return absl::OkStatus();
  };
  absl::Status status = Run(body());
  EXPECT_TRUE(status.ok()) << status;
}

// Invariant 3: completion beats cancellation, and no byte is lost.
TEST_P(TcpStreamTest, CancelledReadLosesNoBytes) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string received;
    char buffer[16];
    std::string sent;
    for (int i = 0; i < 200; ++i) {
      auto race = [&](TaskGroup& group) -> Task<absl::Status> {
        auto write = [&]() -> Task<absl::Status> {
          co_await Try(Sleep(absl::Microseconds(i % 20)));
          co_return co_await connection.client.WriteAll("abcdefgh");
        };
        sent += "abcdefgh";
        group.Spawn(write());
        absl::StatusOr<size_t> n = co_await WithTimeout(absl::Microseconds(10), connection.server.Read(buffer));
        if (n.ok()) received.append(buffer, *n);
        co_await group.Join();
        co_return absl::OkStatus();
      };
      co_await Try(WithTaskGroup(race));
    }
    co_await Try(connection.client.Shutdown(ShutdownHow::kWrite));
    received += co_await Try(ReadToEnd(connection.server));
    EXPECT_EQ(received, sent);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, ACancelledWriteSaysHowFarItGot) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    std::string sent = Pattern(50'000'000);
    absl::Status status = co_await WithTimeout(absl::Milliseconds(50), connection.client.WriteAll(sent));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_await Try(connection.client.Shutdown(ShutdownHow::kWrite));
    std::string received = co_await Try(ReadToEnd(connection.server));
    EXPECT_LT(received.size(), sent.size());
    EXPECT_TRUE(sent.compare(0, received.size(), received) == 0);
    EXPECT_EQ(BytesTransferred(status), received.size());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, ConnectToNobodyIsRefused) {
  auto body = []() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    co_await Try(listener.Close());
    absl::StatusOr<TcpStream> stream = co_await TcpStream::Connect(address);
    EXPECT_THAT(stream, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("connect: Connection refused")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, KnowsItsAddressesAndOptions) {
  auto body = [&]() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    SocketAddress client = co_await Try(connection.client.LocalAddress());
    SocketAddress peer_of_server = co_await Try(connection.server.PeerAddress());
    EXPECT_EQ(client, peer_of_server) << client.ToString() << " " << peer_of_server.ToString();
    SocketAddress server = co_await Try(connection.server.LocalAddress());
    SocketAddress peer_of_client = co_await Try(connection.client.PeerAddress());
    EXPECT_EQ(server, peer_of_client);
    for (TcpStream* stream : {&connection.client, &connection.server}) {
      int no_delay = 0;
      socklen_t size = sizeof(no_delay);
      EXPECT_EQ(
          system().GetSocketOption(stream->descriptor_number(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &no_delay, &size), 0);
      EXPECT_NE(no_delay, 0);
    }
    co_return connection.client.SetNoDelay(false);
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, CloseSaysThatItWentWellAndLaterUseThatItIsClosed) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.Close());
    char buffer[1];
    absl::StatusOr<size_t> read = co_await connection.client.Read(buffer);
    EXPECT_EQ(ErrnoOf(read.status()), EBADF) << read.status();
    absl::StatusOr<size_t> end = co_await connection.server.Read(buffer);
    EXPECT_THAT(end, IsOkAndHolds(0u));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpStreamTest, WorksOverIpv6) {
  auto body = []() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::LoopbackIpv6(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    EXPECT_EQ(address.family(), AF_INET6);
    TcpStream client = co_await Try(TcpStream::Connect(address));
    TcpStream server = co_await Try(listener.Accept());
    co_await Try(client.WriteAll("6"));
    char buffer[1];
    absl::StatusOr<size_t> n = co_await server.Read(buffer);
    EXPECT_THAT(n, IsOkAndHolds(1u));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(TcpStreamTest);

class TcpListenerTest : public BackendTest {};

TEST_P(TcpListenerTest, AnAddressInUseIsAnErrorThatNamesIt) {
  auto body = []() -> Task<absl::Status> {
    TcpListener first = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(first.LocalAddress());
    absl::StatusOr<TcpListener> second = co_await TcpListener::Listen(address);
    EXPECT_EQ(ErrnoOf(second.status()), EADDRINUSE);
    EXPECT_THAT(second.status(), StatusIs(second.status().code(), HasSubstr(address.ToString())));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpListenerTest, TwoMayShareAPortWithReusePort) {
  auto body = []() -> Task<absl::Status> {
    TcpListener first = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0), {.reuse_port = true}));
    SocketAddress address = co_await Try(first.LocalAddress());
    absl::StatusOr<TcpListener> second = co_await TcpListener::Listen(address, {.reuse_port = true});
    co_return second.status();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TcpListenerTest, ACancelledAcceptLosesNoConnection) {
  auto body = []() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    int accepted = 0;
    constexpr int kConnections = 50;
    auto race = [&](TaskGroup& group) -> Task<absl::Status> {
      auto connect = [&](int i) -> Task<absl::Status> {
        co_await Try(Sleep(absl::Microseconds(i * 7)));
        TcpStream stream = co_await Try(TcpStream::Connect(address));
        char buffer[1];
        // Lives until the server closes it.
        co_await Try(stream.Read(buffer));
        co_return absl::OkStatus();
      };
      for (int i = 0; i < kConnections; ++i) group.Spawn(connect(i));
      while (accepted < kConnections) {
        absl::StatusOr<TcpStream> stream =
            co_await WithTimeout(absl::Microseconds(1 + accepted % 10), listener.Accept());
        if (stream.ok()) ++accepted;
      }
      co_await group.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(race));
    EXPECT_EQ(accepted, kConnections);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// Whether the kernel still has them, or they were accepted ahead.
TEST_P(TcpListenerTest, ConnectionsThatNobodyTookAreHungUpWithTheListener) {
  auto body = []() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    std::vector<TcpStream> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(co_await Try(TcpStream::Connect(address)));
    TcpStream first = co_await Try(listener.Accept());
    co_await Try(Sleep(absl::Milliseconds(5)));
    listener = TcpListener();
    first = TcpStream();
    for (TcpStream& client : clients) {
      char byte[1];
      absl::StatusOr<size_t> n = co_await WithTimeout(absl::Seconds(20), client.Read(byte));
      EXPECT_TRUE(n.ok() ? *n == 0 : absl::IsUnavailable(n.status())) << n.status();
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(TcpListenerTest);

int OpenDescriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// With descriptors that can be counted.
class TcpListenerOnAKernelTest : public BackendTest {};
INSTANTIATE_ON_REAL_BACKENDS(TcpListenerOnAKernelTest);

// A server that is at its limit does not go on taking connections that it cannot serve.
TEST_P(TcpListenerOnAKernelTest, WhoDoesNotAcceptTakesNoMoreOnceThereAreSomeAhead) {
  constexpr int kFirst = 100;
  constexpr int kMore = 200;
  auto body = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0), {.backlog = kFirst + kMore}));
    SocketAddress address = co_await Try(listener.LocalAddress());
    std::vector<TcpStream> clients;
    const int before = OpenDescriptors();
    auto ahead = [&] { return OpenDescriptors() - before - static_cast<int>(clients.size()); };
    for (int i = 0; i < kFirst; ++i) clients.push_back(co_await Try(TcpStream::Connect(address)));
    { TcpStream first = co_await Try(listener.Accept()); }
    co_await Try(Sleep(absl::Milliseconds(20)));
    const int some = ahead();
    for (int i = 0; i < kMore; ++i) clients.push_back(co_await Try(TcpStream::Connect(address)));
    co_await Try(Sleep(absl::Milliseconds(20)));
    EXPECT_EQ(ahead(), some);
    for (int i = 1; i < kFirst + kMore; ++i) co_await Try(listener.Accept());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTimeout(absl::Seconds(60), body())), IsOk());
}

// No kernel aborts one on request.
class AbortedConnectionTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(AbortedConnectionTest);

// Invariant 12: ECONNABORTED never reaches the user, whether the accept waits already or not.
TEST_P(AbortedConnectionTest, IsPassedOver) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (bool waits : {false, true}) {
      Bench bench(GetParam(), seed);
      auto& simulation = static_cast<SimulatedSystem&>(bench.system());
      auto body = [&](TaskGroup& group) -> Task<absl::Status> {
        TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
        SocketAddress address = co_await Try(listener.LocalAddress());
        TcpStream server;
        auto accept = [&]() -> Task<absl::Status> {
          server = co_await Try(listener.Accept());
          co_return absl::OkStatus();
        };
        if (waits) {
          simulation.FailNext(SimulatedCall::kAccept, ECONNABORTED, 3);
          group.Spawn(accept());
          co_await Try(Sleep(absl::Milliseconds(1)));
        }
        TcpStream first = co_await Try(TcpStream::Connect(address));
        if (!waits) {
          EXPECT_TRUE(simulation.AbortNextConnection(listener.descriptor_number()));
          group.Spawn(accept());
        }
        TcpStream second = co_await Try(TcpStream::Connect(address));
        co_await group.Join();
        TcpStream& accepted = waits ? first : second;
        co_await Try(accepted.WriteAll("x"));
        char buffer[1];
        size_t n = co_await Try(server.Read(buffer));
        EXPECT_EQ(n, 1u);
        co_return absl::OkStatus();
      };
      EXPECT_THAT(bench.Run(WithTaskGroup(body)), IsOk()) << "seed " << seed << (waits ? ", waiting" : "");
      EXPECT_GE(bench.counters().resubmissions.value(), waits ? 3 : 1);
    }
  }
}

// Invariant 11, the part about slots: a second reader ends the process, and the sentence names both.
TEST(TcpStreamDeathTest, ASecondReaderEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        Bench bench(Backend::kSimulated);
        auto body = []() -> Task<absl::Status> {
          Connection connection = co_await Try(Connect());
          auto two = [&](TaskGroup& group) -> Task<absl::Status> {
            auto read = [&]() -> Task<absl::Status> {
              char buffer[1];
              absl::StatusOr<size_t> n = co_await connection.client.Read(buffer);
              co_return n.status();
            };
            group.Spawn(read());
            group.Spawn(read());
            co_await group.Join();
            co_return absl::OkStatus();
          };
          co_return co_await WithTaskGroup(two);
        };
        static_cast<void>(bench.Run(body()));
      },
      "tcp_test.cc.*started a recv on descriptor .* while .*tcp_test.cc.* has a recv .*one reader and one writer at a "
      "time");
}

TEST(TcpStreamDeathTest, DestroyedWithAReadInFlightEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        Bench bench(Backend::kSimulated);
        auto body = []() -> Task<absl::Status> {
          Connection connection = co_await Try(Connect());
          auto destroy = [&](TaskGroup& group) -> Task<absl::Status> {
            auto read = [&]() -> Task<absl::Status> {
              char buffer[1];
              absl::StatusOr<size_t> n = co_await connection.client.Read(buffer);
              co_return n.status();
            };
            group.Spawn(read());
            co_await Try(Sleep(absl::Seconds(1)));
            connection.client = TcpStream();
            co_await group.Join();
            co_return absl::OkStatus();
          };
          co_return co_await WithTaskGroup(destroy);
        };
        static_cast<void>(bench.Run(body()));
      },
      "was closed or given away while an operation on it was in flight");
}

}  // namespace
}  // namespace proactor
