// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/socket.h"

#include <string>

#include "proactor/errors.h"

namespace proactor::internal {
namespace {

using NameCall = int (System::*)(int, sockaddr*, socklen_t*);

absl::StatusOr<SocketAddress> AddressOf(const Descriptor& socket, NameCall call, const char* name) {
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  sockaddr* address = reinterpret_cast<sockaddr*>(&storage);
  int result = (socket.system.*call)(socket.number, address, &size);
  if (result < 0) return ErrnoToStatus(-result, name);
  return SocketAddress::FromKernel(address, size);
}

}  // namespace

absl::StatusOr<OwnedDescriptor> MakeSocket(System& system, int family, int type) {
  int number = system.Socket(family, type, 0);
  if (number < 0) return ErrnoToStatus(-number, "socket");
  return OwnedDescriptor(system, number, DescriptorKind::kSocket);
}

absl::Status SetOption(const Descriptor& socket, int level, int option, int value, const char* name) {
  int result = socket.system.SetSocketOption(socket.number, level, option, &value, sizeof(value));
  return result < 0 ? ErrnoToStatus(-result, std::string("setsockopt ") + name) : absl::OkStatus();
}

absl::StatusOr<SocketAddress> LocalAddressOf(const Descriptor& socket) {
  return AddressOf(socket, &System::SocketName, "getsockname");
}

absl::StatusOr<SocketAddress> PeerAddressOf(const Descriptor& socket) {
  return AddressOf(socket, &System::PeerName, "getpeername");
}

}  // namespace proactor::internal
