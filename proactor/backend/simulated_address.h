// SPDX-License-Identifier: Apache-2.0
//
// SimulatedAddress: an IP address and a port as the simulated network compares them.
//
//   SimulatedAddress address;
//   int result = SimulatedAddress::FromKernel(AF_INET, pointer, size, address);
//
// IPv4 addresses are kept in their IPv6 form (::ffff:1.2.3.4), so that a socket of one family meets one of the other
// the way Linux lets them.
//
// Threads: a value; any.
#ifndef PROACTOR_BACKEND_SIMULATED_ADDRESS_H_
#define PROACTOR_BACKEND_SIMULATED_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace proactor {

struct SimulatedAddress {
  std::array<uint8_t, 16> ip = {};
  uint16_t port = 0;

  // 0.0.0.0 or ::, and 127.0.0.1 or ::1.
  static SimulatedAddress Any(int family, uint16_t port = 0);
  static SimulatedAddress Loopback(int family, uint16_t port = 0);

  // What a program passed to a socket of `family`. Yields 0, or what bind(2) and connect(2) say about it: -EINVAL,
  // -EAFNOSUPPORT.
  static int FromKernel(int family, const sockaddr* address, socklen_t size, SimulatedAddress& result);

  // For a program with a socket of `family`. What does not fit in `*size` is cut off, and `*size` becomes what it
  // takes.
  void ToKernel(int family, sockaddr* address, socklen_t* size) const;

  bool IsIpv4() const;
  bool IsAny() const;
  bool IsLoopback() const;

  // "127.0.0.1:80", "[::1]:80".
  std::string ToString() const;

  friend auto operator<=>(const SimulatedAddress&, const SimulatedAddress&) = default;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_ADDRESS_H_
