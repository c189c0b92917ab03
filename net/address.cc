// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

absl::Status Unreadable(std::string_view text, const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", std::string(text), "\" is no socket address: ", why,
                                                 "; write 127.0.0.1:7000 or [::1]:7000"));
}

bool ParsePort(std::string_view text, uint16_t* port) {
  uint32_t number;
  // SimpleAtoi alone would take a sign and spaces.
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  if (!absl::SimpleAtoi(std::string(text), &number) || number > 65535) return false;
  *port = static_cast<uint16_t>(number);
  return true;
}

}  // namespace

SocketAddress::SocketAddress() : ipv6_{} {
  ipv4_ = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
}

SocketAddress SocketAddress::Any(uint16_t port) {
  SocketAddress address;
  address.ipv4_.sin_port = htons(port);
  return address;
}

SocketAddress SocketAddress::Loopback(uint16_t port) {
  SocketAddress address = Any(port);
  address.ipv4_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

SocketAddress SocketAddress::AnyIpv6(uint16_t port) {
  SocketAddress address;
  address.ipv6_ = {};
  address.ipv6_.sin6_family = AF_INET6;
  address.ipv6_.sin6_port = htons(port);
  return address;
}

SocketAddress SocketAddress::LoopbackIpv6(uint16_t port) {
  SocketAddress address = AnyIpv6(port);
  address.ipv6_.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  return address;
}

absl::StatusOr<SocketAddress> SocketAddress::FromKernel(const sockaddr* from, socklen_t size) {
  SocketAddress address;
  if (from->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    std::memcpy(&address.ipv4_, from, sizeof(sockaddr_in));
  } else if (from->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    std::memcpy(&address.ipv6_, from, sizeof(sockaddr_in6));
  } else {
    return absl::InvalidArgumentError(absl::StrCat("address family ", from->sa_family, " is not an IP family"));
  }
  return address;
}

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Unreadable(text, "it has no port");
  uint16_t port;
  if (!ParsePort(text.substr(colon + 1), &port)) return Unreadable(text, "its port is no number from 0 to 65535");
  std::string host(text.substr(0, colon));
  if (host.empty() || host == "*") return Any(port);

  if (host.front() != '[') {
    SocketAddress address = Any(port);
    if (host.find(':') != std::string::npos) return Unreadable(text, "an IPv6 address goes into brackets");
    if (inet_pton(AF_INET, host.c_str(), &address.ipv4_.sin_addr) != 1) {
      return Unreadable(text, "its host is no IPv4 address");
    }
    return address;
  }

  if (host.back() != ']') return Unreadable(text, "a bracket is not closed");
  host = host.substr(1, host.size() - 2);
  SocketAddress address = AnyIpv6(port);
  if (size_t percent = host.find('%'); percent != std::string::npos) {
    std::string zone = host.substr(percent + 1);
    host.resize(percent);
    if (!absl::SimpleAtoi(zone, &address.ipv6_.sin6_scope_id)) {
      address.ipv6_.sin6_scope_id = if_nametoindex(zone.c_str());
      if (address.ipv6_.sin6_scope_id == 0) return Unreadable(text, "no network interface has the name after the %");
    }
  }
  if (inet_pton(AF_INET6, host.c_str(), &address.ipv6_.sin6_addr) != 1) {
    return Unreadable(text, "its host is no IPv6 address");
  }
  return address;
}

uint16_t SocketAddress::port() const { return ntohs(family() == AF_INET ? ipv4_.sin_port : ipv6_.sin6_port); }

socklen_t SocketAddress::size() const { return family() == AF_INET ? sizeof(ipv4_) : sizeof(ipv6_); }

std::string SocketAddress::ToString() const {
  char host[INET6_ADDRSTRLEN];
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &ipv4_.sin_addr, host, sizeof(host));
    return absl::StrCat(host, ":", port());
  }
  inet_ntop(AF_INET6, &ipv6_.sin6_addr, host, sizeof(host));
  std::string zone = ipv6_.sin6_scope_id != 0 ? absl::StrCat("%", ipv6_.sin6_scope_id) : "";
  return absl::StrCat("[", host, zone, "]:", port());
}

bool operator==(const SocketAddress& left, const SocketAddress& right) {
  if (left.family() != right.family()) return false;
  if (left.family() == AF_INET) {
    return left.ipv4_.sin_port == right.ipv4_.sin_port && left.ipv4_.sin_addr.s_addr == right.ipv4_.sin_addr.s_addr;
  }
  return left.ipv6_.sin6_port == right.ipv6_.sin6_port && left.ipv6_.sin6_scope_id == right.ipv6_.sin6_scope_id &&
         std::memcmp(&left.ipv6_.sin6_addr, &right.ipv6_.sin6_addr, sizeof(in6_addr)) == 0;
}

}  // namespace proactor
