// SPDX-License-Identifier: Apache-2.0
//
// SocketAddress: an IPv4 or IPv6 address and a port.
//
//   absl::StatusOr<SocketAddress> address = SocketAddress::Parse("[::1]:7000");
//   SocketAddress::Loopback(7000).ToString() == "127.0.0.1:7000"
//
// A value of 28 bytes. Names are not looked up: the text is numbers.
//
// Threads: any.
#ifndef PROACTOR_NET_ADDRESS_H_
#define PROACTOR_NET_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace proactor {

class SocketAddress {
 public:
  // 0.0.0.0:0.
  SocketAddress();

  // "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80"; "*:80" and ":80" mean every local IPv4 address.
  // `kInvalidArgument` says what is wrong with the text.
  static absl::StatusOr<SocketAddress> Parse(std::string_view text);

  static SocketAddress Loopback(uint16_t port);      // 127.0.0.1
  static SocketAddress LoopbackIpv6(uint16_t port);  // ::1
  static SocketAddress Any(uint16_t port);           // 0.0.0.0: every local IPv4 address.
  static SocketAddress AnyIpv6(uint16_t port);       // ::, which on most systems takes IPv4 too.

  // From what the kernel filled in. `kInvalidArgument` for a family other than AF_INET and AF_INET6.
  static absl::StatusOr<SocketAddress> FromKernel(const sockaddr* address, socklen_t size);

  int family() const { return generic_.sa_family; }
  uint16_t port() const;
  const sockaddr* data() const { return &generic_; }
  socklen_t size() const;

  // The text that `Parse` reads.
  std::string ToString() const;

  friend bool operator==(const SocketAddress& left, const SocketAddress& right);

 private:
  union {
    sockaddr generic_;
    sockaddr_in ipv4_;
    sockaddr_in6 ipv6_;
  };
};

}  // namespace proactor

#endif  // PROACTOR_NET_ADDRESS_H_
