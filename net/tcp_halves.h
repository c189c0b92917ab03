// SPDX-License-Identifier: Apache-2.0
//
// TcpReadHalf and TcpWriteHalf: a TCP connection with two owners, a coroutine that reads and one that writes.
//
//   auto [reader, writer] = std::move(stream).Split();
//   group.Spawn(HandleRequests(std::move(reader)));
//   group.Spawn(SendUpdates(std::move(writer)));
//
// The connection is closed when both halves are gone. When the writer goes first, the peer reads the end of the stream,
// and the reader can still read. When the reader goes first, the writer can still write; what the peer sends stays
// unread, and then closing resets the connection. Nothing of a half may be in flight when it goes.
//
// Errors and cancellation are as for TcpStream (tcp.h).
// Threads: the same for both halves.
#ifndef PROACTOR_NET_TCP_HALVES_H_
#define PROACTOR_NET_TCP_HALVES_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "proactor/buffer.h"
#include "proactor/buffer_pool.h"
#include "proactor/descriptor.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/receive.h"
#include "proactor/operation/recv.h"
#include "proactor/operation/recv_list.h"
#include "proactor/operation/send_all.h"
#include "proactor/operation/send_all_list.h"
#include "proactor/operation/send_buffers.h"

namespace proactor {

class TcpReadHalf {
 public:
  // Half of nothing, to be assigned to.
  TcpReadHalf() = default;
  ~TcpReadHalf() { Drop(); }
  TcpReadHalf(TcpReadHalf&&) = default;
  TcpReadHalf& operator=(TcpReadHalf&& other) {
    Drop();
    shared_ = std::move(other.shared_);
    return *this;
  }

  // As those of TcpStream.
  Operation<RecvOp> Read(std::span<char> buffer) {
    return MakeOperation(RecvOp{.descriptor = shared_->get(), .buffer = buffer});
  }
  Operation<RecvListOp> Read(std::span<const std::span<char>> buffers) {
    return MakeOperation(RecvListOp{.descriptor = shared_->get(), .list = ListTransfer(buffers)});
  }
  Operation<ReceiveOp> Receive(BufferPool& pool) {
    return MakeOperation(ReceiveOp{.descriptor = shared_->get(), .store = &pool.store()});
  }
  Operation<ReceiveAllOp> ReceiveAll(BufferPool& pool) {
    return MakeOperation(ReceiveAllOp{{.descriptor = shared_->get(), .store = &pool.store()}});
  }

  explicit operator bool() const { return shared_ != nullptr; }

 private:
  friend class TcpStream;
  explicit TcpReadHalf(std::shared_ptr<OwnedDescriptor> shared) : shared_(std::move(shared)) {}
  void Drop();

  std::shared_ptr<OwnedDescriptor> shared_;
};

class TcpWriteHalf {
 public:
  TcpWriteHalf() = default;
  ~TcpWriteHalf() { Drop(); }
  TcpWriteHalf(TcpWriteHalf&&) = default;
  TcpWriteHalf& operator=(TcpWriteHalf&& other) {
    Drop();
    shared_ = std::move(other.shared_);
    return *this;
  }

  // As those of TcpStream.
  Operation<SendAllOp> WriteAll(std::string_view bytes) {
    return MakeOperation(SendAllOp{.descriptor = shared_->get(), .bytes = bytes});
  }
  Operation<SendAllListOp> WriteAll(std::span<const std::string_view> list) {
    return MakeOperation(SendAllListOp{.descriptor = shared_->get(), .list = ListTransfer(list)});
  }
  Operation<SendBuffersOp> WriteAll(const Buffers& buffers) {
    return MakeOperation(SendBuffersOp{.descriptor = shared_->get(), .next = buffers.begin()});
  }

  // Lets the peer read the end of the stream, as dropping this half does, and says whether that went well.
  absl::Status Shutdown();

  explicit operator bool() const { return shared_ != nullptr; }

 private:
  friend class TcpStream;
  explicit TcpWriteHalf(std::shared_ptr<OwnedDescriptor> shared) : shared_(std::move(shared)) {}
  void Drop();

  std::shared_ptr<OwnedDescriptor> shared_;
};

struct TcpHalves {
  TcpReadHalf reader;
  TcpWriteHalf writer;
};

}  // namespace proactor

#endif  // PROACTOR_NET_TCP_HALVES_H_
