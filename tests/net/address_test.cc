// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/address.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Reprinted(std::string_view text) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
  return address.ok() ? address->ToString() : std::string(address.status().message());
}

TEST(SocketAddressTest, IsAnyAddressAtFirst) {
  SocketAddress address;
  EXPECT_EQ(address.ToString(), "0.0.0.0:0");
  EXPECT_EQ(address.family(), AF_INET);
  EXPECT_EQ(address.port(), 0);
  EXPECT_EQ(address.size(), sizeof(sockaddr_in));
}

TEST(SocketAddressTest, WellKnownAddresses) {
  EXPECT_EQ(SocketAddress::Loopback(7000).ToString(), "127.0.0.1:7000");
  EXPECT_EQ(SocketAddress::LoopbackIpv6(7000).ToString(), "[::1]:7000");
  EXPECT_EQ(SocketAddress::Any(80).ToString(), "0.0.0.0:80");
  EXPECT_EQ(SocketAddress::AnyIpv6(80).ToString(), "[::]:80");
}

TEST(SocketAddressTest, IsWhatTheKernelWants) {
  SocketAddress ipv4 = SocketAddress::Loopback(7000);
  sockaddr_in in;
  ASSERT_EQ(ipv4.size(), sizeof(in));
  std::memcpy(&in, ipv4.data(), sizeof(in));
  EXPECT_EQ(in.sin_family, AF_INET);
  EXPECT_EQ(in.sin_port, htons(7000));
  EXPECT_EQ(in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));

  SocketAddress ipv6 = SocketAddress::LoopbackIpv6(7000);
  sockaddr_in6 in6;
  ASSERT_EQ(ipv6.size(), sizeof(in6));
  std::memcpy(&in6, ipv6.data(), sizeof(in6));
  EXPECT_EQ(in6.sin6_family, AF_INET6);
  EXPECT_EQ(in6.sin6_port, htons(7000));
  EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr));
  EXPECT_EQ(in6.sin6_flowinfo, 0u);
  EXPECT_EQ(in6.sin6_scope_id, 0u);
}

TEST(SocketAddressTest, PrintsWhatItReads) {
  for (const char* text :
       {"127.0.0.1:7000", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:7000", "[::]:80", "[2001:db8::ff00:42:8329]:443",
        "[::ffff:192.0.2.1]:80", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[fe80::1%1]:22"}) {
    EXPECT_EQ(Reprinted(text), text);
  }
}

TEST(SocketAddressTest, PrintsOneFormOfTheSameAddress) {
  EXPECT_EQ(Reprinted("[0:0:0:0:0:0:0:1]:7000"), "[::1]:7000");
  EXPECT_EQ(Reprinted("[2001:DB8:0::1]:7000"), "[2001:db8::1]:7000");
  EXPECT_EQ(Reprinted("127.0.0.1:080"), "127.0.0.1:80");
}

TEST(SocketAddressTest, AStarOrNothingIsEveryLocalAddress) {
  EXPECT_THAT(SocketAddress::Parse("*:80"), IsOkAndHolds(SocketAddress::Any(80)));
  EXPECT_THAT(SocketAddress::Parse(":80"), IsOkAndHolds(SocketAddress::Any(80)));
}

TEST(SocketAddressTest, AZoneIsAnInterfaceByNumberOrName) {
  absl::StatusOr<SocketAddress> by_number = SocketAddress::Parse("[fe80::1%7]:22");
  ASSERT_THAT(by_number, IsOk());
  EXPECT_EQ(reinterpret_cast<const sockaddr_in6*>(by_number->data())->sin6_scope_id, 7u);

  unsigned loopback = if_nametoindex("lo");
  if (loopback == 0) GTEST_SKIP() << "No loopback interface.";
  absl::StatusOr<SocketAddress> by_name = SocketAddress::Parse("[fe80::1%lo]:22");
  ASSERT_THAT(by_name, IsOk());
  EXPECT_EQ(reinterpret_cast<const sockaddr_in6*>(by_name->data())->sin6_scope_id, loopback);
  EXPECT_EQ(by_name->ToString(), "[fe80::1%" + std::to_string(loopback) + "]:22");
}

TEST(SocketAddressTest, SurvivesTextAndBack) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    SocketAddress address;
    if (i % 2 == 0) {
      sockaddr_in in = {};
      in.sin_family = AF_INET;
      in.sin_port = static_cast<uint16_t>(random());
      in.sin_addr.s_addr = random();
      address = *SocketAddress::FromKernel(reinterpret_cast<sockaddr*>(&in), sizeof(in));
    } else {
      sockaddr_in6 in6 = {};
      in6.sin6_family = AF_INET6;
      in6.sin6_port = static_cast<uint16_t>(random());
      // Some zeros in a row, which are printed as "::".
      for (int byte = static_cast<int>(random() % 16); byte < 16; ++byte) in6.sin6_addr.s6_addr[byte] = random() % 3;
      if (i % 3 == 0) in6.sin6_scope_id = random();
      address = *SocketAddress::FromKernel(reinterpret_cast<sockaddr*>(&in6), sizeof(in6));
    }
    ASSERT_THAT(SocketAddress::Parse(address.ToString()), IsOkAndHolds(address)) << address.ToString();
  }
}

TEST(SocketAddressTest, AnErrorSaysWhatIsWrongAndWhatToWrite) {
  const struct {
    std::string_view text;
    const char* why;
  } kCases[] = {
      {"", "it has no port"},
      {"127.0.0.1", "it has no port"},
      {"localhost", "it has no port"},
      {"[::1]", "it has no port"},
      {"[fe80::1%lo]", "it has no port"},
      {"127.0.0.1:", "its port is no number from 0 to 65535"},
      {"127.0.0.1:http", "its port is no number from 0 to 65535"},
      {"127.0.0.1:65536", "its port is no number from 0 to 65535"},
      {"127.0.0.1:99999999999999999999", "its port is no number from 0 to 65535"},
      {"127.0.0.1:-1", "its port is no number from 0 to 65535"},
      {"127.0.0.1:+1", "its port is no number from 0 to 65535"},
      {"127.0.0.1: 1", "its port is no number from 0 to 65535"},
      {"127.0.0.1:1 ", "its port is no number from 0 to 65535"},
      {"127.0.0.1:0x50", "its port is no number from 0 to 65535"},
      {"localhost:80", "its host is no IPv4 address"},
      {"127.0.0.256:80", "its host is no IPv4 address"},
      {"127.0.0:80", "its host is no IPv4 address"},
      {" 127.0.0.1:80", "its host is no IPv4 address"},
      {"127.0.0.1%lo:80", "its host is no IPv4 address"},
      {"::1:80", "an IPv6 address goes into brackets"},
      {"fe80::1%lo:80", "an IPv6 address goes into brackets"},
      {"[::1:80", "a bracket is not closed"},
      {"[:80", "a bracket is not closed"},
      {"[]:80", "its host is no IPv6 address"},
      {"[127.0.0.1]:80", "its host is no IPv6 address"},
      {"[::1::2]:80", "its host is no IPv6 address"},
      {"[[::1]]:80", "its host is no IPv6 address"},
      {"[fe80::1%nosuchinterface]:80", "no network interface has the name after the %"},
      {"[fe80::1%]:80", "no network interface has the name after the %"},
      {"[fe80::1%-1]:80", "no network interface has the name after the %"},
      {"[fe80::1%+1]:80", "no network interface has the name after the %"},
      {"[fe80::1% 1]:80", "no network interface has the name after the %"},
      {"[fe80::1%4294967296]:80", "no network interface has the name after the %"},
  };
  for (const auto& [text, why] : kCases) {
    EXPECT_THAT(SocketAddress::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(StartsWith("\"" + std::string(text) + "\" is no socket address: "), HasSubstr(why),
                               HasSubstr("; write 127.0.0.1:7000 or [::1]:7000"))))
        << text;
  }
}

TEST(SocketAddressTest, ANulByteEndsNoText) {
  using std::string_view_literals::operator""sv;
  for (std::string_view text : {"127.0.0.1\0.example:80"sv, "[::1\0x]:80"sv, "[fe80::1%lo\0x]:80"sv, "*\0:80"sv,
                                "127.0.0.1:80\0"sv, "\0:80"sv}) {
    EXPECT_THAT(SocketAddress::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(SocketAddressTest, EqualsWhatHasTheSameFamilyHostPortAndZone) {
  EXPECT_EQ(SocketAddress::Loopback(80), SocketAddress::Loopback(80));
  EXPECT_NE(SocketAddress::Loopback(80), SocketAddress::Loopback(81));
  EXPECT_NE(SocketAddress::Loopback(80), SocketAddress::Any(80));
  EXPECT_EQ(SocketAddress::LoopbackIpv6(80), SocketAddress::LoopbackIpv6(80));
  EXPECT_NE(SocketAddress::LoopbackIpv6(80), SocketAddress::LoopbackIpv6(81));
  EXPECT_NE(SocketAddress::LoopbackIpv6(80), SocketAddress::AnyIpv6(80));
  EXPECT_NE(SocketAddress::Any(80), SocketAddress::AnyIpv6(80));
  EXPECT_NE(*SocketAddress::Parse("[fe80::1%1]:80"), *SocketAddress::Parse("[fe80::1%2]:80"));
}

// What the kernel leaves in the parts that say nothing makes no difference.
TEST(SocketAddressTest, ComparesNoPadding) {
  sockaddr_in in = {};
  in.sin_family = AF_INET;
  in.sin_port = htons(80);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::memset(in.sin_zero, 0xff, sizeof(in.sin_zero));
  EXPECT_THAT(SocketAddress::FromKernel(reinterpret_cast<sockaddr*>(&in), sizeof(in)),
              IsOkAndHolds(SocketAddress::Loopback(80)));
}

TEST(SocketAddressTest, TakesWhatTheKernelFilledIn) {
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) GTEST_SKIP() << "No IPv6.";
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  close(fd);
  EXPECT_THAT(SocketAddress::FromKernel(reinterpret_cast<sockaddr*>(&storage), size),
              IsOkAndHolds(SocketAddress::AnyIpv6(0)));
}

TEST(SocketAddressTest, TakesNoOtherFamily) {
  sockaddr_un unix_address = {};
  unix_address.sun_family = AF_UNIX;
  EXPECT_THAT(SocketAddress::FromKernel(reinterpret_cast<sockaddr*>(&unix_address), sizeof(unix_address)),
              StatusIs(absl::StatusCode::kInvalidArgument, "address family 1 is not an IP family"));
}

// The kernel says how much there was, which may be more than there was room for, or nothing: a peer without a name.
TEST(SocketAddressTest, TakesNoAddressThatIsCutOff) {
  sockaddr_in6 in6 = {};
  in6.sin6_family = AF_INET6;
  const sockaddr* address = reinterpret_cast<sockaddr*>(&in6);
  EXPECT_THAT(SocketAddress::FromKernel(address, sizeof(sockaddr_in)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("16 bytes")));
  in6.sin6_family = AF_INET;
  EXPECT_THAT(SocketAddress::FromKernel(address, sizeof(sockaddr_in) - 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("15 bytes")));
  EXPECT_THAT(SocketAddress::FromKernel(address, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, "the kernel filled in no address"));
}

}  // namespace
}  // namespace proactor
