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
  return absl::InvalidArgumentError(
      absl::StrCat("\"", std::string(text), "\" is no socket address: ", why, "; write 127.0.0.1:7000 or [::1]:7000"));
}

// SimpleAtoi alone would take a sign and spaces.
bool ParseNumber(std::string_view text, uint32_t* number) {
  return text.find_first_not_of("0123456789") == std::string_view::npos &&
         absl::SimpleAtoi(absl::string_view(text.data(), text.size()), number);
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
  if (size < sizeof(from->sa_family)) return absl::InvalidArgumentError("the kernel filled in no address");
  bool is_ipv4 = from->sa_family == AF_INET;
  if (!is_ipv4 && from->sa_family != AF_INET6) {
    return absl::InvalidArgumentError(absl::StrCat("address family ", from->sa_family, " is not an IP family"));
  }
  if (size < (is_ipv4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6))) {
    return absl::InvalidArgumentError(absl::StrCat("an IP address was cut off after ", size, " bytes"));
  }
  if (is_ipv4) {
    std::memcpy(&address.ipv4_, from, sizeof(sockaddr_in));
  } else {
    std::memcpy(&address.ipv6_, from, sizeof(sockaddr_in6));
  }
  return address;
}

absl::StatusOr<SocketAddress> SocketAddress::Parse(std::string_view text) {
  // inet_pton(3) would stop there, and take what stands before it.
  if (text.find('\0') != std::string_view::npos) return Unreadable(text, "it contains a NUL byte");
  size_t colon = text.rfind(':');
  bool in_brackets = text.starts_with('[') && text.ends_with(']');
  if (colon == std::string_view::npos || in_brackets) return Unreadable(text, "it has no port");
  uint32_t number;
  if (!ParseNumber(text.substr(colon + 1), &number) || number > 65535) {
    return Unreadable(text, "its port is no number from 0 to 65535");
  }
  uint16_t port = static_cast<uint16_t>(number);
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
    if (!ParseNumber(zone, &address.ipv6_.sin6_scope_id)) {
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
