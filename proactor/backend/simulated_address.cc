// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

constexpr std::array<uint8_t, 12> kIpv4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// What Linux asks for: an address of the days before sin6_scope_id (RFC 2133) is long enough.
constexpr socklen_t kShortestIpv6 = offsetof(sockaddr_in6, sin6_scope_id);

SimulatedAddress Ipv4(const std::array<uint8_t, 4>& bytes, uint16_t port) {
  SimulatedAddress address{.port = port};
  std::copy(kIpv4Prefix.begin(), kIpv4Prefix.end(), address.ip.begin());
  std::copy(bytes.begin(), bytes.end(), address.ip.begin() + kIpv4Prefix.size());
  return address;
}

}  // namespace

SimulatedAddress SimulatedAddress::Any(int family, uint16_t port) {
  return family == AF_INET ? Ipv4({0, 0, 0, 0}, port) : SimulatedAddress{.port = port};
}

SimulatedAddress SimulatedAddress::Loopback(int family, uint16_t port) {
  if (family == AF_INET) return Ipv4({127, 0, 0, 1}, port);
  SimulatedAddress address{.port = port};
  address.ip.back() = 1;
  return address;
}

int SimulatedAddress::FromKernel(int family, const sockaddr* address, socklen_t size, SimulatedAddress& result) {
  if (size < (family == AF_INET ? sizeof(sockaddr_in) : kShortestIpv6)) return -EINVAL;
  if (address->sa_family != family) return -EAFNOSUPPORT;
  if (family == AF_INET) {
    sockaddr_in ipv4;
    std::memcpy(&ipv4, address, sizeof(ipv4));
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &ipv4.sin_addr, sizeof(bytes));
    result = Ipv4(bytes, ntohs(ipv4.sin_port));
  } else {
    sockaddr_in6 ipv6 = {};
    std::memcpy(&ipv6, address, std::min<size_t>(size, sizeof(ipv6)));
    std::memcpy(result.ip.data(), &ipv6.sin6_addr, sizeof(result.ip));
    result.port = ntohs(ipv6.sin6_port);
  }
  return 0;
}

void SimulatedAddress::ToKernel(int family, sockaddr* address, socklen_t* size) const {
  if (address == nullptr) return;
  sockaddr_in ipv4 = {};
  sockaddr_in6 ipv6 = {};
  const void* bytes;
  socklen_t needed;
  if (family == AF_INET) {
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    std::memcpy(&ipv4.sin_addr, ip.data() + kIpv4Prefix.size(), sizeof(ipv4.sin_addr));
    bytes = &ipv4;
    needed = sizeof(ipv4);
  } else {
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    std::memcpy(&ipv6.sin6_addr, ip.data(), sizeof(ipv6.sin6_addr));
    bytes = &ipv6;
    needed = sizeof(ipv6);
  }
  std::memcpy(address, bytes, std::min(needed, *size));
  *size = needed;
}

bool SimulatedAddress::IsIpv4() const { return std::equal(kIpv4Prefix.begin(), kIpv4Prefix.end(), ip.begin()); }

bool SimulatedAddress::IsAny() const { return ip == Any(IsIpv4() ? AF_INET : AF_INET6).ip; }

bool SimulatedAddress::IsLoopback() const {
  return IsIpv4() ? ip[kIpv4Prefix.size()] == 127 : ip == Loopback(AF_INET6).ip;
}

std::string SimulatedAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsIpv4()) {
    inet_ntop(AF_INET, ip.data() + kIpv4Prefix.size(), text, sizeof(text));
    return absl::StrCat(text, ":", port);
  }
  inet_ntop(AF_INET6, ip.data(), text, sizeof(text));
  return absl::StrCat("[", text, "]:", port);
}

}  // namespace proactor
