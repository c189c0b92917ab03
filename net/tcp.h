// SPDX-License-Identifier: Apache-2.0
//
// TcpListener and TcpStream: TCP connections (tcp(7)).
//
//   TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Any(7000)));
//   TcpStream stream = co_await Try(listener.Accept());
//   size_t n = co_await Try(stream.Read(buffer));
//   co_await Try(stream.WriteAll({buffer.data(), n}));
//
// `Read` receives into memory of the caller's, and never ahead. `Receive` takes memory from a pool when something has
// come (buffer_pool.h), and reads ahead. A stream may be read in both ways, and may then still read ahead. One that
// goes to another scheduler takes along what is unread. The scheduler that it comes from runs, or has ended: it must
// not be ending at that moment, and where the stream has received, the first read waits for its next turn.
//
// One coroutine may read from a stream while another writes to it; `Split` lets each own its half. A second reader or a
// second writer at the same time is a mistake that ends the process with a sentence. Buffers are borrowed until the
// operation has ended.
// Destroying one closes it; nothing may be in flight then. `Close` ends what is: it is cancelled, and who comes later
// gets EBADF.
//
// Errors: those of the system call, such as `kUnavailable` "recv: Connection reset by peer". Cancelled: `kCancelled`,
//   unless the result came first: no byte and no connection is lost.
// Threads: the scheduler's that first awaits something of it; it may move to another while nothing is in flight.
#ifndef PROACTOR_NET_TCP_H_
#define PROACTOR_NET_TCP_H_

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/buffer.h"
#include "proactor/buffer_pool.h"
#include "proactor/descriptor.h"
#include "proactor/net/address.h"
#include "proactor/net/tcp_halves.h"
#include "proactor/operation/accept.h"
#include "proactor/operation/close.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/receive.h"
#include "proactor/operation/recv.h"
#include "proactor/operation/recv_list.h"
#include "proactor/operation/send_all.h"
#include "proactor/operation/send_all_list.h"
#include "proactor/operation/send_buffers.h"
#include "proactor/task.h"

namespace proactor {

struct ConnectOptions {
  bool no_delay = true;  // TCP_NODELAY: send small writes at once.
};
static_assert(std::is_trivially_destructible_v<ConnectOptions>);

// Which half of a connection to end; see shutdown(2).
enum class ShutdownHow { kRead, kWrite, kBoth };

class TcpStream {
 public:
  // A stream of nothing, to be assigned to.
  TcpStream() = default;

  // Connects. Result: the stream, or the failure of socket(2) or connect(2). Cancelled: the attempt is given up.
  static Task<absl::StatusOr<TcpStream>> Connect(SocketAddress peer, ConnectOptions options = {});

  // Reads what has arrived, waiting for at least one byte. Result: how many bytes; 0 once the peer has finished
  // sending. An empty buffer is `kInvalidArgument`.
  Operation<RecvOp> Read(std::span<char> buffer) {
    return MakeOperation(RecvOp{.descriptor = descriptor_.get(), .buffer = buffer});
  }

  // The same into several buffers, one after the other, such as the ends of a ring: the first 16 at most.
  Operation<RecvListOp> Read(std::span<const std::span<char>> buffers) {
    return MakeOperation(RecvListOp{.descriptor = descriptor_.get(), .list = ListTransfer(buffers)});
  }

  // Receives what has arrived into a buffer of the pool, waiting for at least one byte: how 10,000 connections that
  // wait need no memory for it. Result: the bytes; none once the peer has finished sending. From the first time on,
  // io_uring receives while the coroutine does something else, up to the pool's `most_unread`, as long as that is of
  // use (buffer_pool.h). Cancelled: `kCancelled`; what comes later is for the next one. The pool outlives the
  // operation.
  Operation<ReceiveOp> Receive(BufferPool& pool) {
    return MakeOperation(ReceiveOp{.descriptor = descriptor_.get(), .store = &pool.store()});
  }

  // The same for all that has been received by then, in as many buffers as that takes. Writing it back while more comes
  // keeps both directions busy.
  Operation<ReceiveAllOp> ReceiveAll(BufferPool& pool) {
    return MakeOperation(ReceiveAllOp{{.descriptor = descriptor_.get(), .store = &pool.store()}});
  }

  // Writes all of the bytes: until the kernel has taken the last. Result: OK. A failure says in its payload how many
  // were taken (`BytesTransferred` in errors.h). Writing nothing is fine.
  Operation<SendAllOp> WriteAll(std::string_view bytes) {
    return MakeOperation(SendAllOp{.descriptor = descriptor_.get(), .bytes = bytes});
  }

  // The same for the bytes of several buffers, one after the other, without copying them together: a head and a body.
  // The list is borrowed too: name it.
  Operation<SendAllListOp> WriteAll(std::span<const std::string_view> list) {
    return MakeOperation(SendAllListOp{.descriptor = descriptor_.get(), .list = ListTransfer(list)});
  }

  // The same for buffers that were received. They are borrowed: name them.
  Operation<SendBuffersOp> WriteAll(const Buffers& buffers) {
    return MakeOperation(SendBuffersOp{.descriptor = descriptor_.get(), .next = buffers.begin()});
  }

  // Ends one half or both. After kWrite the peer reads the end of the stream, and this side can still read. Does not
  // wait.
  absl::Status Shutdown(ShutdownHow how);

  // Gives the connection two owners, one that reads and one that writes (tcp_halves.h). Nothing may be in flight.
  TcpHalves Split() &&;

  // Closes with a reset: the peer's operations fail with ECONNRESET, and what has not been sent yet is dropped. Does
  // not wait. Nothing may be in flight.
  void Reset();

  // Closes, and says whether that went well. What is in flight is cancelled, and has ended before: with its result, if
  // that came first. Cancelled: nothing is in flight any more, and the owner still has to close it.
  Operation<CloseOp> Close() { return MakeOperation(CloseOp{.descriptor = descriptor_.get()}); }

  absl::Status SetNoDelay(bool on);
  absl::StatusOr<SocketAddress> LocalAddress() const;
  absl::StatusOr<SocketAddress> PeerAddress() const;

  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  int descriptor_number() const { return descriptor_->number; }

 private:
  friend struct TcpAcceptOp;
  explicit TcpStream(OwnedDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  OwnedDescriptor descriptor_;
};

// AcceptOp whose connection is a stream.
struct TcpAcceptOp : AcceptOp {
  using Value = TcpStream;
  TcpStream ToValue(int result) const;
};

struct ListenOptions {
  int backlog = 1024;         // Connections that wait to be accepted; the kernel caps it at net.core.somaxconn.
  bool reuse_address = true;  // SO_REUSEADDR: do not wait for old connections of the same port to be forgotten.
  bool reuse_port = false;    // SO_REUSEPORT: several listeners share the port, each with a part of the connections.
  bool ipv6_only = false;     // IPV6_V6ONLY: an IPv6 listener takes no IPv4.
};
static_assert(std::is_trivially_destructible_v<ListenOptions>);

class TcpListener {
 public:
  TcpListener() = default;

  // Listens on an address; port 0 picks a free one, which `LocalAddress` tells. Result: the listener, or the failure of
  // socket(2), setsockopt(2), bind(2) or listen(2).
  static Task<absl::StatusOr<TcpListener>> Listen(SocketAddress address, ListenOptions options = {});

  // Takes the next connection. Connections that were reset while they waited are passed over. When there is no
  // descriptor or no memory left, they wait, until something is closed or for up to a second. TCP_NODELAY is on.
  Operation<TcpAcceptOp> Accept() { return MakeOperation(TcpAcceptOp{{.descriptor = descriptor_.get()}}); }

  absl::StatusOr<SocketAddress> LocalAddress() const;

  // Closes, and says whether that went well. An `Accept` in flight is cancelled and has ended before. Connections that
  // wait to be accepted are reset.
  Operation<CloseOp> Close() { return MakeOperation(CloseOp{.descriptor = descriptor_.get()}); }

  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  int descriptor_number() const { return descriptor_->number; }

 private:
  explicit TcpListener(OwnedDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

  OwnedDescriptor descriptor_;
};

}  // namespace proactor

#endif  // PROACTOR_NET_TCP_H_
