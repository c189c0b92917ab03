// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_address.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/proactor/backend/either_system.h"

namespace proactor {
namespace {

SimulatedAddress From(RawAddress raw) {
  SimulatedAddress address;
  EXPECT_EQ(SimulatedAddress::FromKernel(raw.family(), raw.data(), raw.size, address), 0);
  return address;
}

RawAddress To(int family, const SimulatedAddress& address) {
  RawAddress raw;
  address.ToKernel(family, raw.data(), &raw.size);
  return raw;
}

TEST(SimulatedAddressTest, SurvivesTheRoundTrip) {
  RawAddress ipv4 = To(AF_INET, From(RawAddress::Ipv4("10.1.2.3", 80)));
  EXPECT_EQ(ipv4.Ip(), "10.1.2.3");
  EXPECT_EQ(ipv4.port(), 80);
  EXPECT_EQ(ipv4.size, sizeof(sockaddr_in));
  RawAddress ipv6 = To(AF_INET6, From(RawAddress::Ipv6("2001:db8::7", 443)));
  EXPECT_EQ(ipv6.Ip(), "2001:db8::7");
  EXPECT_EQ(ipv6.port(), 443);
  EXPECT_EQ(ipv6.size, sizeof(sockaddr_in6));
}

TEST(SimulatedAddressTest, Ipv4HasAnIpv6Form) {
  EXPECT_EQ(From(RawAddress::Ipv4("10.1.2.3", 80)), From(RawAddress::Ipv6("::ffff:10.1.2.3", 80)));
  EXPECT_EQ(To(AF_INET6, From(RawAddress::Ipv4("10.1.2.3", 80))).Ip(), "::ffff:10.1.2.3");
  EXPECT_TRUE(From(RawAddress::Ipv6("::ffff:10.1.2.3")).IsIpv4());
  EXPECT_FALSE(From(RawAddress::Ipv6("::1")).IsIpv4());
}

TEST(SimulatedAddressTest, KnowsTheSpecialOnes) {
  EXPECT_EQ(SimulatedAddress::Any(AF_INET), From(RawAddress::Ipv4("0.0.0.0")));
  EXPECT_EQ(SimulatedAddress::Any(AF_INET6), From(RawAddress::Ipv6("::")));
  EXPECT_TRUE(SimulatedAddress::Any(AF_INET).IsAny());
  EXPECT_TRUE(SimulatedAddress::Any(AF_INET6).IsAny());
  EXPECT_NE(SimulatedAddress::Any(AF_INET), SimulatedAddress::Any(AF_INET6));
  EXPECT_EQ(SimulatedAddress::Loopback(AF_INET, 7), From(RawAddress::Ipv4("127.0.0.1", 7)));
  EXPECT_TRUE(From(RawAddress::Ipv4("127.9.9.9")).IsLoopback());
  EXPECT_TRUE(From(RawAddress::Ipv6("::1")).IsLoopback());
  EXPECT_FALSE(From(RawAddress::Ipv4("10.0.0.1")).IsLoopback());
}

TEST(SimulatedAddressTest, RefusesWhatIsTooShortOrOfAnotherFamily) {
  SimulatedAddress address;
  RawAddress ipv4 = RawAddress::Ipv4("127.0.0.1");
  EXPECT_EQ(SimulatedAddress::FromKernel(AF_INET, ipv4.data(), sizeof(sockaddr_in) - 1, address), -EINVAL);
  EXPECT_EQ(SimulatedAddress::FromKernel(AF_INET6, ipv4.data(), ipv4.size, address), -EINVAL);
  EXPECT_EQ(SimulatedAddress::FromKernel(AF_INET6, ipv4.data(), sizeof(sockaddr_in6), address), -EAFNOSUPPORT);
}

TEST(SimulatedAddressTest, IsWrittenAsPeopleWriteIt) {
  EXPECT_EQ(SimulatedAddress::Loopback(AF_INET, 80).ToString(), "127.0.0.1:80");
  EXPECT_EQ(SimulatedAddress::Loopback(AF_INET6, 80).ToString(), "[::1]:80");
}

}  // namespace
}  // namespace proactor
