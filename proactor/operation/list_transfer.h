// SPDX-License-Identifier: Apache-2.0
//
// ListTransfer: how far the bytes of a list of buffers have been moved, and what the next system call is to move.
//
//   ListTransfer<std::string_view> list(pieces);
//   while (!list.done()) list.Advance(sendmsg(socket, &list.NextMessage(), list.more() ? MSG_MORE : 0));
//
// The list is borrowed, with the buffers. A message takes up to 16 of them that are not empty (the kernel would take
// IOV_MAX, but an operation keeps them in its coroutine's frame) and up to `kLargestTransfer` bytes; the rest is for
// the messages after it. `more` says that there will be some, so that TCP may fill its packets across two of them.
//
// Threads: that of the operation.
#ifndef PROACTOR_OPERATION_LIST_TRANSFER_H_
#define PROACTOR_OPERATION_LIST_TRANSFER_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "proactor/system.h"

namespace proactor {

// `Buffer` is std::span<char> to receive into, std::string_view to send.
template <class Buffer>
class ListTransfer {
 public:
  static constexpr size_t kMostParts = 16;

  explicit ListTransfer(std::span<const Buffer> list) : rest_(list) { Advance(0); }
  // Without the message: where it is now is not where it will be asked for.
  ListTransfer(const ListTransfer& other)
      : rest_(other.rest_), offset_(other.offset_), transferred_(other.transferred_) {}
  ListTransfer& operator=(const ListTransfer&) = delete;

  // Whether there are no bytes left to move.
  bool done() const { return rest_.empty(); }
  size_t transferred() const { return transferred_; }

  // The bytes from here on, as far as a message takes them; valid until it is called again.
  msghdr& NextMessage() {
    size_t count = 0;
    size_t room = kLargestTransfer;
    size_t skip = offset_;
    more_ = false;
    for (const Buffer& buffer : rest_) {
      size_t left = buffer.size() - std::exchange(skip, 0);
      if (left == 0) continue;
      size_t size = count < kMostParts ? std::min(left, room) : 0;
      if (size > 0) parts_[count++] = {const_cast<char*>(buffer.data() + buffer.size() - left), size};
      room -= size;
      more_ = size < left;
      if (more_) break;
    }
    size_ = kLargestTransfer - room;
    message_ = {};
    message_.msg_iov = parts_;
    message_.msg_iovlen = count;
    return message_;
  }

  // How many bytes the message above is for, and whether it leaves some for another.
  size_t size() const { return size_; }
  bool more() const { return more_; }

  // That many bytes have been moved.
  void Advance(size_t bytes) {
    transferred_ += bytes;
    offset_ += bytes;
    while (!rest_.empty() && offset_ >= rest_.front().size()) {
      offset_ -= rest_.front().size();
      rest_ = rest_.subspan(1);
    }
  }

 private:
  std::span<const Buffer> rest_;  // From the first that is not finished.
  size_t offset_ = 0;             // What of that one is.
  size_t transferred_ = 0;
  size_t size_ = 0;
  bool more_ = false;
  msghdr message_;
  iovec parts_[kMostParts];
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_LIST_TRANSFER_H_
