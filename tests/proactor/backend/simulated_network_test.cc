// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_network.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "tests/proactor/backend/either_system.h"

namespace proactor {
namespace {

class SimulatedNetworkTest : public EitherSystem {
 protected:
  // A port that nobody has.
  uint16_t FreePort() {
    int fd = Socket();
    EXPECT_EQ(Bind(fd, RawAddress::Ipv4("0.0.0.0")), 0);
    uint16_t port = NameOf(fd).port();
    Close(fd);
    return port;
  }
};
INSTANTIATE_TEST_SUITE_P(, SimulatedNetworkTest, EitherSystem::Both(), EitherSystem::Name);

TEST_P(SimulatedNetworkTest, PortZeroPicksAFreeOne) {
  int one = Listening();
  int two = Listening();
  EXPECT_GT(NameOf(one).port(), 0);
  EXPECT_NE(NameOf(one).port(), NameOf(two).port());
  EXPECT_EQ(NameOf(one).Ip(), "127.0.0.1");
}

TEST_P(SimulatedNetworkTest, BothSidesKnowEachOther) {
  int listener = Listening();
  auto [client, server] = ConnectedTo(listener);
  RawAddress peer_of_client, peer_of_server;
  EXPECT_EQ(PeerNameOf(client, peer_of_client), 0);
  EXPECT_EQ(PeerNameOf(server, peer_of_server), 0);
  EXPECT_EQ(peer_of_client.port(), NameOf(listener).port());
  EXPECT_EQ(peer_of_server.port(), NameOf(client).port());
  EXPECT_EQ(peer_of_server.Ip(), "127.0.0.1");
  EXPECT_EQ(NameOf(server).port(), NameOf(listener).port());
}

TEST_P(SimulatedNetworkTest, AcceptTellsWhoItIs) {
  int listener = Listening();
  int client = Connecting(NameOf(listener));
  RawAddress peer;
  int server = Settled([&] {
    peer.size = sizeof(peer.storage);
    return system().Accept(listener, peer.data(), &peer.size);
  });
  ASSERT_GE(server, 0);
  EXPECT_EQ(peer.port(), NameOf(client).port());
  EXPECT_EQ(peer.size, sizeof(sockaddr_in));
  EXPECT_EQ(system().Close(server), 0);
}

TEST_P(SimulatedNetworkTest, AnAddressInUseIsRefused) {
  int listener = Listening();
  int other = Socket();
  EXPECT_EQ(Bind(other, NameOf(listener)), -EADDRINUSE);
  EXPECT_EQ(Bind(other, RawAddress::Ipv4("0.0.0.0", NameOf(listener).port())), -EADDRINUSE);
  EXPECT_EQ(Bind(other, RawAddress::Ipv4("127.0.0.2", NameOf(listener).port())), 0);
}

TEST_P(SimulatedNetworkTest, ASocketIsBoundOnce) {
  int fd = Socket();
  EXPECT_EQ(Bind(fd, RawAddress::Ipv4("127.0.0.1")), 0);
  EXPECT_EQ(Bind(fd, RawAddress::Ipv4("127.0.0.1")), -EINVAL);
}

TEST_P(SimulatedNetworkTest, ReusedAddressesHaveOneListener) {
  RawAddress address = RawAddress::Ipv4("127.0.0.1", FreePort());
  int one = Socket();
  int two = Socket();
  EXPECT_EQ(SetFlag(one, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(SetFlag(two, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(Bind(one, address), 0);
  EXPECT_EQ(Bind(two, address), 0);
  EXPECT_EQ(system().Listen(one, 8), 0);
  EXPECT_EQ(system().Listen(two, 8), -EADDRINUSE);
}

TEST_P(SimulatedNetworkTest, AServerCannotRestartOverItsOldConnectionsWithoutReuse) {
  int listener = Listening();
  RawAddress address = NameOf(listener);
  ConnectedTo(listener);
  Close(listener);
  int next = Socket();
  EXPECT_EQ(Bind(next, address), -EADDRINUSE);
}

TEST_P(SimulatedNetworkTest, AServerRestartsOverItsOldConnectionsWithReuse) {
  int listener = Socket();
  EXPECT_EQ(SetFlag(listener, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(Bind(listener, RawAddress::Ipv4("127.0.0.1")), 0);
  EXPECT_EQ(system().Listen(listener, 8), 0);
  RawAddress address = NameOf(listener);
  ConnectedTo(listener);
  Close(listener);
  int next = Socket();
  EXPECT_EQ(SetFlag(next, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(Bind(next, address), 0);
  EXPECT_EQ(system().Listen(next, 8), 0);
}

TEST_P(SimulatedNetworkTest, ListenersOfOnePortShareItsConnections) {
  RawAddress address = RawAddress::Ipv4("127.0.0.1", FreePort());
  int listeners[2];
  for (int& listener : listeners) {
    listener = Socket();
    EXPECT_EQ(SetFlag(listener, SOL_SOCKET, SO_REUSEPORT), 0);
    EXPECT_EQ(Bind(listener, address), 0);
    EXPECT_EQ(system().Listen(listener, 64), 0);
  }
  for (int i = 0; i < 32; ++i) {
    int client = Connecting(address);
    EXPECT_EQ(Settled([&] { return Connect(client, address); }), 0);
  }
  EXPECT_GE(Accept(listeners[0]), 0);
  EXPECT_GE(Accept(listeners[1]), 0);
}

TEST_P(SimulatedNetworkTest, TheListenerWithTheMostExactAddressIsAsked) {
  int any = Socket();
  EXPECT_EQ(SetFlag(any, SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_EQ(Bind(any, RawAddress::Ipv4("0.0.0.0")), 0);
  EXPECT_EQ(system().Listen(any, 8), 0);
  int exact = Socket();
  EXPECT_EQ(SetFlag(exact, SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_EQ(Bind(exact, RawAddress::Ipv4("127.0.0.2", NameOf(any).port())), 0);
  EXPECT_EQ(system().Listen(exact, 8), 0);

  Connecting(RawAddress::Ipv4("127.0.0.2", NameOf(any).port()));
  EXPECT_GE(Accept(exact), 0);
  EXPECT_EQ(system().Accept(any, nullptr, nullptr), -EAGAIN);
  Connecting(RawAddress::Ipv4("127.0.0.3", NameOf(any).port()));
  EXPECT_GE(Accept(any), 0);
}

TEST_P(SimulatedNetworkTest, AnIpv6ListenerTakesIpv4Too) {
  int listener = Listening(RawAddress::Ipv6("::"));
  int client = Connecting(RawAddress::Ipv4("127.0.0.1", NameOf(listener).port()));
  int server = Accept(listener);
  ASSERT_GE(server, 0);
  EXPECT_EQ(NameOf(server).Ip(), "::ffff:127.0.0.1");
  EXPECT_EQ(NameOf(client).Ip(), "127.0.0.1");
}

TEST_P(SimulatedNetworkTest, AnIpv6ListenerCanRefuseIpv4) {
  int listener = Socket(AF_INET6);
  EXPECT_EQ(SetFlag(listener, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_EQ(Bind(listener, RawAddress::Ipv6("::")), 0);
  EXPECT_EQ(SetFlag(listener, IPPROTO_IPV6, IPV6_V6ONLY), -EINVAL);
  EXPECT_EQ(system().Listen(listener, 8), 0);
  RawAddress ipv4 = RawAddress::Ipv4("127.0.0.1", NameOf(listener).port());
  int client = Connecting(ipv4);
  EXPECT_EQ(Settled([&] { return Connect(client, ipv4); }), -ECONNREFUSED);
  int client6 = Connecting(RawAddress::Ipv6("::1", NameOf(listener).port()));
  EXPECT_GE(Accept(listener), 0);
  EXPECT_EQ(NameOf(client6).Ip(), "::1");
}

TEST_P(SimulatedNetworkTest, TheAddressAnyStandsForThisHost) {
  int listener = Listening();
  int client = Connecting(RawAddress::Ipv4("0.0.0.0", NameOf(listener).port()));
  ASSERT_GE(Accept(listener), 0);
  EXPECT_EQ(Settled([&] { return Connect(client, NameOf(listener)); }), 0);
  RawAddress peer;
  EXPECT_EQ(PeerNameOf(client, peer), 0);
  EXPECT_EQ(peer.Ip(), "127.0.0.1");
}

TEST_P(SimulatedNetworkTest, AddressesAreChecked) {
  int fd = Socket();
  RawAddress ipv4 = RawAddress::Ipv4("127.0.0.1", 1);
  EXPECT_EQ(system().Bind(fd, ipv4.data(), 8), -EINVAL);
  EXPECT_EQ(Bind(fd, RawAddress::Ipv6("::1", 1)), -EAFNOSUPPORT);
  EXPECT_EQ(Connect(fd, RawAddress::Ipv6("::1", 1)), -EAFNOSUPPORT);
  int fd6 = Socket(AF_INET6);
  EXPECT_EQ(Bind(fd6, ipv4), -EINVAL);
}

TEST_P(SimulatedNetworkTest, ANameThatDoesNotFitIsCutOff) {
  int listener = Listening();
  RawAddress name;
  name.size = 4;
  EXPECT_EQ(system().SocketName(listener, name.data(), &name.size), 0);
  EXPECT_EQ(name.size, sizeof(sockaddr_in));
  EXPECT_EQ(name.port(), NameOf(listener).port());
  EXPECT_EQ(name.Ip(), "0.0.0.0");
}

TEST_P(SimulatedNetworkTest, AnAttemptThatFailedGivesItsPortBack) {
  int bound = Socket();
  EXPECT_EQ(Bind(bound, RawAddress::Ipv4("127.0.0.1")), 0);
  int client = Connecting(NameOf(bound));
  EXPECT_EQ(Settled([&] { return Connect(client, NameOf(bound)); }), -ECONNREFUSED);
  EXPECT_EQ(Bind(client, RawAddress::Ipv4("127.0.0.1")), 0);
}

TEST(SimulatedPortsTest, ArePickedUntilNoneIsLeft) {
  SimulatedSystem system({.interruptions = false, .descriptor_limit = 100'000});
  std::set<uint16_t> ports;
  while (true) {
    int fd = system.Socket(AF_INET, SOCK_STREAM, 0);
    RawAddress any = RawAddress::Ipv4("0.0.0.0");
    if (int result = system.Bind(fd, any.data(), any.size); result < 0) {
      EXPECT_EQ(result, -EADDRINUSE);
      break;
    }
    system.SocketName(fd, any.data(), &any.size);
    ports.insert(any.port());
  }
  EXPECT_EQ(ports.size(), 60999 - 32768 + 1);
}

}  // namespace
}  // namespace proactor
