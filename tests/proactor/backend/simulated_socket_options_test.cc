// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_socket_options.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

#include "tests/proactor/backend/either_system.h"

namespace proactor {
namespace {

class SimulatedSocketOptionsTest : public EitherSystem {};
INSTANTIATE_TEST_SUITE_P(, SimulatedSocketOptionsTest, EitherSystem::Both(), EitherSystem::Name);

TEST_P(SimulatedSocketOptionsTest, AreKeptAndInherited) {
  int listener = Listening();
  EXPECT_EQ(GetOption(listener, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(SetFlag(listener, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(SetFlag(listener, SOL_SOCKET, SO_KEEPALIVE), 0);
  auto [client, server] = ConnectedTo(listener);
  EXPECT_EQ(GetOption(server, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(GetOption(server, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(GetOption(client, SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST_P(SimulatedSocketOptionsTest, SomeSayWhatASocketIs) {
  int fd = Socket(AF_INET6);
  EXPECT_EQ(GetOption(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(GetOption(fd, SOL_SOCKET, SO_DOMAIN), AF_INET6);
  EXPECT_EQ(GetOption(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  EXPECT_EQ(GetOption(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
  EXPECT_EQ(SetFlag(fd, SOL_SOCKET, SO_TYPE), -ENOPROTOOPT);
}

TEST_P(SimulatedSocketOptionsTest, AreCheckedAsLinuxDoes) {
  int fd = Socket();
  int value = 17;
  EXPECT_EQ(system().SetSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)), 0);
  EXPECT_EQ(GetOption(fd, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(system().SetSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, &value, 1), -EINVAL);
  EXPECT_EQ(system().SetSocketOption(fd, SOL_SOCKET, 9999, &value, sizeof(value)), -ENOPROTOOPT);
  EXPECT_EQ(GetOption(fd, IPPROTO_TCP, 9999), -ENOPROTOOPT);
  EXPECT_EQ(SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY), -ENOPROTOOPT);
  value = 20'000;
  EXPECT_EQ(system().SetSocketOption(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)), 0);
  EXPECT_EQ(GetOption(fd, SOL_SOCKET, SO_RCVBUF), 40'000);
}

TEST_P(SimulatedSocketOptionsTest, LingeringIsReadBackAsItWasSet) {
  int fd = Socket();
  linger value = {.l_onoff = 1, .l_linger = 7};
  socklen_t size = sizeof(value);
  EXPECT_EQ(system().SetSocketOption(fd, SOL_SOCKET, SO_LINGER, &value, size), 0);
  value = {};
  EXPECT_EQ(system().GetSocketOption(fd, SOL_SOCKET, SO_LINGER, &value, &size), 0);
  EXPECT_EQ(value.l_onoff, 1);
  EXPECT_EQ(value.l_linger, 7);
}

TEST_P(SimulatedSocketOptionsTest, IpVersionsAreSettledBeforeAnAddress) {
  int fd = Socket(AF_INET6);
  EXPECT_EQ(SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_EQ(GetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_EQ(Bind(fd, RawAddress::Ipv6("::1")), 0);
  EXPECT_EQ(SetFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY), -EINVAL);
}

}  // namespace
}  // namespace proactor
