// SPDX-License-Identifier: Apache-2.0
//
// What the kinds of sockets have in common: making one, its options, its addresses. Private to net/.
//
//   absl::StatusOr<OwnedDescriptor> socket = MakeSocket(system, AF_INET, SOCK_STREAM);
//   absl::Status status = SetOption(*socket->get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
#ifndef PROACTOR_NET_SOCKET_H_
#define PROACTOR_NET_SOCKET_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/descriptor.h"
#include "proactor/net/address.h"
#include "proactor/system.h"

namespace proactor::internal {

absl::StatusOr<OwnedDescriptor> MakeSocket(System& system, int family, int type);

// Sets an option that is an int; `name` is for the error.
absl::Status SetOption(const Descriptor& socket, int level, int option, int value, const char* name);

absl::StatusOr<SocketAddress> LocalAddressOf(const Descriptor& socket);
absl::StatusOr<SocketAddress> PeerAddressOf(const Descriptor& socket);

}  // namespace proactor::internal

#endif  // PROACTOR_NET_SOCKET_H_
