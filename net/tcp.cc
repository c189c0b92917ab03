// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/tcp.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "proactor/context.h"
#include "proactor/errors.h"
#include "proactor/net/socket.h"
#include "proactor/operation/connect.h"
#include "proactor/proactor.h"
#include "proactor/try.h"

namespace proactor {

using internal::MakeSocket;
using internal::SetOption;

Task<absl::StatusOr<TcpStream>> TcpStream::Connect(SocketAddress peer, ConnectOptions options) {
  System& system = (co_await CurrentContext()).loop->proactor.system();
  TcpStream stream(co_await Try(MakeSocket(system, peer.family(), SOCK_STREAM)));
  if (options.no_delay) co_await Try(stream.SetNoDelay(true));
  co_await Try(
      MakeOperation(ConnectOp{.descriptor = stream.descriptor_.get(), .address = peer.data(), .size = peer.size()}));
  co_return stream;
}

absl::Status TcpStream::Shutdown(ShutdownHow how) {
  static constexpr int kHow[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
  // Directly: it does not block, and the ring would send it to a worker thread.
  int result = descriptor_->system.Shutdown(descriptor_->number, kHow[static_cast<int>(how)]);
  return result < 0 ? ErrnoToStatus(-result, "shutdown") : absl::OkStatus();
}

TcpHalves TcpStream::Split() && {
  auto shared = std::make_shared<OwnedDescriptor>(std::move(descriptor_));
  return {.reader = TcpReadHalf(shared), .writer = TcpWriteHalf(shared)};
}

void TcpStream::Reset() {
  // Without lingering, close(2) drops what it would have sent first.
  static constexpr linger kAtOnce = {.l_onoff = 1, .l_linger = 0};
  descriptor_->system.SetSocketOption(descriptor_->number, SOL_SOCKET, SO_LINGER, &kAtOnce, sizeof(kAtOnce));
  descriptor_->resets = true;
  descriptor_ = OwnedDescriptor();
}

absl::Status TcpStream::SetNoDelay(bool on) {
  return SetOption(*descriptor_.get(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0, "TCP_NODELAY");
}

absl::StatusOr<SocketAddress> TcpStream::LocalAddress() const { return internal::LocalAddressOf(*descriptor_.get()); }

absl::StatusOr<SocketAddress> TcpStream::PeerAddress() const { return internal::PeerAddressOf(*descriptor_.get()); }

TcpStream TcpAcceptOp::ToValue(int result) const { return TcpStream(AcceptOp::ToValue(result)); }

Task<absl::StatusOr<TcpListener>> TcpListener::Listen(SocketAddress address, ListenOptions options) {
  System& system = (co_await CurrentContext()).loop->proactor.system();
  TcpListener listener(co_await Try(MakeSocket(system, address.family(), SOCK_STREAM)));
  const Descriptor& socket = *listener.descriptor_.get();
  if (options.reuse_address) co_await Try(SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
  if (options.reuse_port) co_await Try(SetOption(socket, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"));
  if (address.family() == AF_INET6) {
    co_await Try(SetOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0, "IPV6_V6ONLY"));
  }
  // Connections inherit it, which saves a system call for each.
  co_await Try(SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"));
  if (int result = system.Bind(socket.number, address.data(), address.size()); result < 0) {
    co_return ErrnoToStatus(-result, absl::StrCat("bind to ", address.ToString()));
  }
  if (int result = system.Listen(socket.number, options.backlog); result < 0) {
    co_return ErrnoToStatus(-result, absl::StrCat("listen on ", address.ToString()));
  }
  co_return listener;
}

absl::StatusOr<SocketAddress> TcpListener::LocalAddress() const { return internal::LocalAddressOf(*descriptor_.get()); }

}  // namespace proactor
