// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_socket.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "proactor/backend/simulated_chance.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/system.h"
#include "tests/proactor/backend/either_system.h"

namespace proactor {
namespace {

class SimulatedSocketTest : public EitherSystem {};
INSTANTIATE_TEST_SUITE_P(, SimulatedSocketTest, EitherSystem::Both(), EitherSystem::Name);

TEST_P(SimulatedSocketTest, BytesArriveInOrderOnBothWays) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "one"), 3);
  EXPECT_EQ(Receive(server), "one");
  EXPECT_EQ(Send(server, "two"), 3);
  EXPECT_EQ(Receive(client, 2), "tw");
  EXPECT_EQ(Receive(client), "o");
}

TEST_P(SimulatedSocketTest, ReceiveHasToWaitWhenNothingCame) {
  auto [client, server] = Connected();
  char buffer[8];
  EXPECT_EQ(system().Receive(client, buffer, sizeof(buffer)), -EAGAIN);
}

TEST_P(SimulatedSocketTest, ConnectTellsItsOutcomeOnce) {
  int listener = Listening();
  int client = Connecting(NameOf(listener));
  EXPECT_EQ(Settled([&] { return Connect(client, NameOf(listener)); }), 0);
  EXPECT_EQ(Connect(client, NameOf(listener)), -EISCONN);
  EXPECT_EQ(GetOption(client, SOL_SOCKET, SO_ERROR), 0);
}

TEST_P(SimulatedSocketTest, ConnectIsRefusedWhereNobodyListens) {
  int bound = Socket();
  EXPECT_EQ(Bind(bound, RawAddress::Ipv4("127.0.0.1")), 0);
  int client = Connecting(NameOf(bound));
  EXPECT_EQ(Settled([&] { return Connect(client, NameOf(bound)); }), -ECONNREFUSED);
  // And may try again.
  EXPECT_EQ(Connect(client, NameOf(bound)), -EINPROGRESS);
}

TEST_P(SimulatedSocketTest, ARefusalCanBeTakenFromTheSocketInstead) {
  int bound = Socket();
  EXPECT_EQ(Bind(bound, RawAddress::Ipv4("127.0.0.1")), 0);
  int client = Connecting(NameOf(bound));
  EXPECT_EQ(Settled([&] { return GetOption(client, SOL_SOCKET, SO_ERROR) == 0 ? -EAGAIN : ECONNREFUSED; }),
            ECONNREFUSED);
  EXPECT_EQ(Connect(client, NameOf(bound)), -ECONNABORTED);
}

TEST_P(SimulatedSocketTest, TheEndOfTheStreamComesAfterTheBytesBeforeIt) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "last words"), 10);
  EXPECT_EQ(system().Shutdown(client, SHUT_WR), 0);
  EXPECT_EQ(Receive(server), "last words");
  EXPECT_EQ(Receive(server), "");
  EXPECT_EQ(Receive(server), "");
  // The other way is still open.
  EXPECT_EQ(Send(server, "bye"), 3);
  EXPECT_EQ(Receive(client), "bye");
}

TEST_P(SimulatedSocketTest, SendingAfterTheOwnEndIsABrokenPipe) {
  auto [client, server] = Connected();
  EXPECT_EQ(system().Shutdown(client, SHUT_WR), 0);
  EXPECT_EQ(Send(client, "more"), -EPIPE);
}

TEST_P(SimulatedSocketTest, ReadingAfterShutdownOfReadingIsTheEnd) {
  auto [client, server] = Connected();
  EXPECT_EQ(system().Shutdown(client, SHUT_RD), 0);
  EXPECT_EQ(Receive(client), "");
  // What comes all the same can be read.
  EXPECT_EQ(Send(server, "still"), 5);
  AwaitHangUp(client);
  EXPECT_EQ(Receive(client), "still");
}

TEST_P(SimulatedSocketTest, ClosingEndsTheStreamOfThePeer) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "all"), 3);
  EXPECT_EQ(Close(client), 0);
  EXPECT_EQ(Receive(server), "all");
  EXPECT_EQ(Receive(server), "");
}

TEST_P(SimulatedSocketTest, TheFirstSendToAPeerThatIsGoneSucceedsAndTheNextFails) {
  auto [client, server] = Connected();
  EXPECT_EQ(Close(client), 0);
  EXPECT_EQ(Receive(server), "");
  EXPECT_EQ(Send(server, "into the void"), 13);
  EXPECT_EQ(Settled([&] { return Send(server, "x") == -EPIPE ? -EPIPE : -EAGAIN; }), -EPIPE);
}

TEST_P(SimulatedSocketTest, ClosingWithUnreadBytesResetsThePeer) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "unread"), 6);
  EXPECT_EQ(Receive(server, 1), "u");
  EXPECT_EQ(Close(server), 0);
  AwaitHangUp(client);
  EXPECT_EQ(Receive(client), "ECONNRESET");
  // It is said once.
  EXPECT_EQ(Receive(client), "");
  EXPECT_EQ(Send(client, "x"), -EPIPE);
  EXPECT_EQ(PeerNameOf(client), -ENOTCONN);
}

TEST_P(SimulatedSocketTest, AResetIsToldToTheSenderIfItAsksFirst) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "unread"), 6);
  EXPECT_EQ(Receive(server, 1), "u");
  EXPECT_EQ(Close(server), 0);
  AwaitHangUp(client);
  EXPECT_EQ(Send(client, "x"), -ECONNRESET);
  EXPECT_EQ(Send(client, "x"), -EPIPE);
  EXPECT_EQ(Receive(client), "");
}

TEST_P(SimulatedSocketTest, BytesThatCameBeforeAResetAreNotLost) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "unread"), 6);
  EXPECT_EQ(Receive(server, 1), "u");
  EXPECT_EQ(Send(server, "answer"), 6);
  EXPECT_EQ(Close(server), 0);
  AwaitHangUp(client);
  EXPECT_EQ(Receive(client), "answer");
  EXPECT_EQ(Receive(client), "ECONNRESET");
}

TEST_P(SimulatedSocketTest, ClosingWithLingerOfZeroResetsThePeer) {
  auto [client, server] = Connected();
  linger at_once = {.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(system().SetSocketOption(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
  EXPECT_EQ(Close(server), 0);
  AwaitHangUp(client);
  EXPECT_EQ(GetOption(client, SOL_SOCKET, SO_ERROR), ECONNRESET);
  EXPECT_EQ(GetOption(client, SOL_SOCKET, SO_ERROR), 0);
}

TEST_P(SimulatedSocketTest, SendingToWhoHasShutBothWaysResetsBoth) {
  auto [client, server] = Connected();
  EXPECT_EQ(system().Shutdown(client, SHUT_RDWR), 0);
  EXPECT_EQ(Receive(server), "");
  EXPECT_EQ(Send(server, "x"), 1);
  EXPECT_EQ(Settled([&] { return GetOption(client, SOL_SOCKET, SO_ERROR) == 0 ? -EAGAIN : 1; }), 1);
  EXPECT_EQ(Send(server, "x"), -EPIPE);
}

TEST_P(SimulatedSocketTest, NobodyIsConnectedOnceBothHaveFinished) {
  auto [client, server] = Connected();
  EXPECT_EQ(Send(client, "x"), 1);
  EXPECT_EQ(system().Shutdown(client, SHUT_WR), 0);
  EXPECT_EQ(system().Shutdown(server, SHUT_WR), 0);
  EXPECT_EQ(Receive(client), "");
  EXPECT_EQ(PeerNameOf(client), -ENOTCONN);
  EXPECT_EQ(system().Shutdown(client, SHUT_WR), -ENOTCONN);
  // What was sent before can be read.
  EXPECT_EQ(Receive(server), "x");
  EXPECT_EQ(Receive(server), "");
  EXPECT_EQ(Settled([&] { return PeerNameOf(server) == 0 ? -EAGAIN : PeerNameOf(server); }), -ENOTCONN);
}

TEST_P(SimulatedSocketTest, AWriterWaitsForItsReader) {
  auto [client, server] = Connected();
  std::string chunk(4096, 'x');
  size_t sent = 0;
  int result;
  while ((result = Send(client, chunk)) > 0) sent += static_cast<size_t>(result);
  EXPECT_EQ(result, -EAGAIN);
  EXPECT_TRUE(sent == kBufferSize || !simulated()) << sent;
  std::string taken = Receive(server, sent);
  EXPECT_GT(taken.size(), 0);
  EXPECT_GT(Settled([&] {
              if (taken.size() < sent) taken += Receive(server, sent - taken.size());
              return Send(client, chunk);
            }),
            0);
}

TEST_P(SimulatedSocketTest, WithoutAConnectionThereIsNothingToDo) {
  int fd = Socket();
  EXPECT_EQ(Receive(fd), "ENOTCONN");
  EXPECT_EQ(Send(fd, "x"), -EPIPE);
  EXPECT_EQ(system().Accept(fd, nullptr, nullptr), -EINVAL);
  EXPECT_EQ(PeerNameOf(fd), -ENOTCONN);
  EXPECT_EQ(system().Shutdown(fd, 3), -EINVAL);
  EXPECT_EQ(system().Shutdown(fd, SHUT_WR), -ENOTCONN);
  EXPECT_EQ(NameOf(fd).port(), 0);
}

TEST_P(SimulatedSocketTest, AListenerDoesNotConnectOrTransfer) {
  int listener = Listening();
  EXPECT_EQ(Connect(listener, NameOf(listener)), -EISCONN);
  EXPECT_EQ(Receive(listener), "ENOTCONN");
  EXPECT_EQ(Send(listener, "x"), -EPIPE);
  EXPECT_EQ(system().Accept(listener, nullptr, nullptr), -EAGAIN);
  EXPECT_EQ(GetOption(listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST_P(SimulatedSocketTest, ClosingAListenerResetsConnectionsThatNobodyAccepted) {
  int listener = Listening();
  RawAddress address = NameOf(listener);
  int client = Connecting(address);
  EXPECT_EQ(Settled([&] { return Connect(client, address); }), 0);
  EXPECT_EQ(Close(listener), 0);
  AwaitHangUp(client);
  EXPECT_EQ(Receive(client), "ECONNRESET");
}

TEST_P(SimulatedSocketTest, AConnectionOutlivesItsListener) {
  auto [client, server] = Connected();  // Which has closed it.
  EXPECT_EQ(Send(client, "x"), 1);
  EXPECT_EQ(Receive(server), "x");
}

TEST_P(SimulatedSocketTest, AClientThatLeftBeforeItWasAcceptedIsAcceptedAllTheSame) {
  int listener = Listening();
  int client = Connecting(NameOf(listener));
  EXPECT_EQ(Settled([&] { return Connect(client, NameOf(listener)); }), 0);
  EXPECT_EQ(Send(client, "hi"), 2);
  EXPECT_EQ(Close(client), 0);
  int server = Accept(listener);
  ASSERT_GE(server, 0);
  EXPECT_EQ(Receive(server), "hi");
  EXPECT_EQ(Receive(server), "");
}

TEST_P(SimulatedSocketTest, ShuttingAListenerDownStopsIt) {
  int listener = Listening();
  RawAddress address = NameOf(listener);
  EXPECT_EQ(system().Shutdown(listener, SHUT_WR), 0);
  EXPECT_EQ(GetOption(listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
  EXPECT_EQ(system().Shutdown(listener, SHUT_RD), 0);
  EXPECT_EQ(system().Accept(listener, nullptr, nullptr), -EINVAL);
  int client = Connecting(address);
  EXPECT_EQ(Settled([&] { return Connect(client, address); }), -ECONNREFUSED);
}

TEST_P(SimulatedSocketTest, IsReadyForWhatCanBeDone) {
  constexpr short kAll = POLLIN | POLLOUT | POLLRDHUP;
  auto readiness = [&](int fd) { return system().Poll(fd, kAll); };
  // The kernel may need a moment for that.
  auto becomes = [&](int fd, int wanted) {
    Settled([&] { return readiness(fd) != wanted ? -EAGAIN : 0; });
    return readiness(fd);
  };
  int listener = Listening();
  EXPECT_EQ(readiness(Socket()), POLLOUT | POLLHUP);
  EXPECT_EQ(readiness(listener), 0);
  int client = Connecting(NameOf(listener));
  EXPECT_EQ(becomes(listener, POLLIN), POLLIN);
  int server = Accept(listener);
  EXPECT_EQ(becomes(client, POLLOUT), POLLOUT);
  EXPECT_EQ(readiness(server), POLLOUT);
  EXPECT_EQ(Send(client, "bytes"), 5);
  EXPECT_EQ(becomes(server, POLLIN | POLLOUT), POLLIN | POLLOUT);
  EXPECT_EQ(system().Poll(server, POLLIN), POLLIN);
  EXPECT_EQ(system().Shutdown(client, SHUT_WR), 0);
  EXPECT_EQ(becomes(server, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_EQ(Close(server), 0);  // With bytes unread.
  EXPECT_EQ(becomes(client, kAll | POLLHUP | POLLERR), kAll | POLLHUP | POLLERR);
  EXPECT_EQ(system().Shutdown(listener, SHUT_RD), 0);
  EXPECT_EQ(readiness(listener), POLLOUT | POLLHUP);
  EXPECT_EQ(readiness(12345), POLLNVAL);
}

TEST_P(SimulatedSocketTest, ARefusedOneIsReadyForEverything) {
  int bound = Socket();
  EXPECT_EQ(Bind(bound, RawAddress::Ipv4("127.0.0.1")), 0);
  int client = Connecting(NameOf(bound));
  constexpr short kAll = POLLIN | POLLOUT | POLLRDHUP;
  Settled([&] { return system().Poll(client, kAll) == 0 ? -EAGAIN : 0; });
  EXPECT_EQ(system().Poll(client, kAll), kAll | POLLHUP | POLLERR);
}

// Linux asks again later when a queue is full, so that this takes seconds there.
TEST(SimulatedQueueTest, AFullQueueMakesConnectionsWait) {
  SimulatedSystem system({.short_transfers = false, .interruptions = false});
  int listener = system.Socket(AF_INET, SOCK_STREAM, 0);
  RawAddress address = RawAddress::Ipv4("127.0.0.1", 80);
  EXPECT_EQ(system.Bind(listener, address.data(), address.size), 0);
  EXPECT_EQ(system.Listen(listener, 1), 0);
  int clients[4];
  for (int& client : clients) {
    client = system.Socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(system.Connect(client, address.data(), address.size), -EINPROGRESS);
  }
  EXPECT_EQ(system.Connect(clients[1], address.data(), address.size), 0);
  EXPECT_EQ(system.Connect(clients[2], address.data(), address.size), -EALREADY);
  char byte;
  EXPECT_EQ(system.Receive(clients[2], &byte, 1), -EAGAIN);
  EXPECT_EQ(system.Send(clients[2], "x", 1), -EAGAIN);

  EXPECT_GE(system.Accept(listener, nullptr, nullptr), 0);
  EXPECT_EQ(system.Connect(clients[2], address.data(), address.size), 0);
  EXPECT_EQ(system.Connect(clients[3], address.data(), address.size), -EALREADY);
  EXPECT_EQ(system.Close(listener), 0);
  EXPECT_EQ(system.Connect(clients[3], address.data(), address.size), -ECONNREFUSED);
}

TEST(SimulatedQueueTest, AnAbortedConnectionIsReportedByAccept) {
  SimulatedSystem system({.short_transfers = false, .interruptions = false});
  int listener = system.Socket(AF_INET, SOCK_STREAM, 0);
  RawAddress address = RawAddress::Ipv4("127.0.0.1", 80);
  EXPECT_EQ(system.Bind(listener, address.data(), address.size), 0);
  EXPECT_EQ(system.Listen(listener, 8), 0);
  EXPECT_FALSE(system.AbortNextConnection(listener));
  int client = system.Socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(system.Connect(client, address.data(), address.size), -EINPROGRESS);
  EXPECT_TRUE(system.AbortNextConnection(listener));
  EXPECT_FALSE(system.AbortNextConnection(listener));
  EXPECT_EQ(system.Accept(listener, nullptr, nullptr), -ECONNABORTED);
  EXPECT_EQ(system.Accept(listener, nullptr, nullptr), -EAGAIN);
  EXPECT_EQ(system.Connect(client, address.data(), address.size), -ECONNRESET);
}

// --- Random calls on both. ---

// Two connections, and 40 calls on their four sockets, the same for the same seed. Yields the answers.
class RandomCalls {
 public:
  // The kernel needs `patience` milliseconds after each call to be done with it.
  RandomCalls(System& system, uint64_t seed, int patience)
      : system_(system), chance_(seed, /*short_transfers=*/false), patience_(patience) {}

  std::string Run() {
    Connect();
    for (int i = 0; i < 40; ++i) {
      Call(chance_.Below(4));
      if (patience_ > 0) poll(nullptr, 0, patience_);
    }
    for (int fd : sockets_) {
      if (fd >= 0) system_.Close(fd);
    }
    return answers_;
  }

 private:
  void Connect() {
    int listener = system_.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_EQ(system_.Bind(listener, address_.data(), address_.size), 0);
    EXPECT_EQ(system_.Listen(listener, 8), 0);
    EXPECT_EQ(system_.SocketName(listener, address_.data(), &address_.size), 0);
    for (int i = 0; i < 4; i += 2) {
      sockets_[i] = system_.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      system_.Connect(sockets_[i], address_.data(), address_.size);
      while ((sockets_[i + 1] = system_.Accept(listener, nullptr, nullptr)) == -EAGAIN) {
      }
      EXPECT_EQ(system_.Connect(sockets_[i], address_.data(), address_.size), 0);
      // Otherwise the kernel holds small sends back.
      Set(sockets_[i], IPPROTO_TCP, TCP_NODELAY, 1);
      Set(sockets_[i + 1], IPPROTO_TCP, TCP_NODELAY, 1);
    }
    system_.Close(listener);
  }

  void Call(size_t which) {
    int& fd = sockets_[which];
    if (fd < 0) return;
    char buffer[64];
    RawAddress name;
    switch (chance_.Below(9)) {
      case 0:
      case 1:
        return Note("send", which, system_.Send(fd, "hello world", 1 + chance_.Below(11)));
      case 2:
      case 3:
        return Note("recv", which, system_.Receive(fd, buffer, 1 + chance_.Below(40)));
      case 4:
        return Note("shutdown", which, system_.Shutdown(fd, static_cast<int>(chance_.Below(3))));
      case 5:
        return Note("SO_ERROR", which, -GetError(fd));
      case 6:
        Note("poll", which, system_.Poll(fd, POLLIN | POLLOUT | POLLRDHUP));
        return Note("getpeername", which, system_.PeerName(fd, name.data(), &name.size));
      case 7:
        return Note("connect", which, system_.Connect(fd, address_.data(), address_.size));
      default:
        if (chance_.OneIn(2)) return;
        if (chance_.OneIn(4)) SetLinger(fd);
        Note("close", which, system_.Close(fd));
        fd = -1;
    }
  }

  void Set(int fd, int level, int name, int value) { system_.SetSocketOption(fd, level, name, &value, sizeof(value)); }
  void SetLinger(int fd) {
    linger at_once = {.l_onoff = 1, .l_linger = 0};
    system_.SetSocketOption(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  int GetError(int fd) {
    int error = 0;
    socklen_t size = sizeof(error);
    system_.GetSocketOption(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }
  void Note(const char* call, size_t which, int result) {
    answers_ += std::string(call) + " on " + std::to_string(which) + ": ";
    answers_ += (result < 0 ? strerrorname_np(-result) : std::to_string(result)) + "\n";
  }

  System& system_;
  SimulatedChance chance_;
  int patience_;
  RawAddress address_ = RawAddress::Ipv4("127.0.0.1");
  int sockets_[4] = {};
  std::string answers_;
};

TEST(SimulatedSocketComparisonTest, RandomCallsAreAnsweredAsByTheKernel) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SimulatedSystem system({.short_transfers = false, .interruptions = false});
    std::string simulated = RandomCalls(system, seed, 0).Run();
    // The kernel hurries first. What is different then may only have been late.
    std::string kernel = RandomCalls(System::Real(), seed, 0).Run();
    for (int i = 0; i < 5 && kernel != simulated; ++i) kernel = RandomCalls(System::Real(), seed, 1 + 4 * i).Run();
    ASSERT_EQ(kernel, simulated) << "with seed " << seed;
    EXPECT_EQ(system.open_descriptors(), 0);
  }
}

}  // namespace
}  // namespace proactor
