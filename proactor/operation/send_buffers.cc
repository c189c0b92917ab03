// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/send_buffers.h"

#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <utility>

#include "proactor/errors.h"
#include "proactor/frame_pool.h"
#include "proactor/multishot.h"
#include "proactor/system.h"

namespace proactor {

struct SendBuffersOp::Message {
  msghdr head = {};
  iovec parts[kMostParts];
  size_t size = 0;
  bool more = false;  // Bytes for another message.

  explicit Message(const SendBuffersOp& op) {
    head.msg_iov = parts;
    size_t skip = op.sent_of_next;
    for (Buffers::Iterator at = op.next; at != Buffers::Iterator(); ++at) {
      std::string_view bytes = (*at).substr(std::exchange(skip, 0));
      more = head.msg_iovlen == kMostParts || bytes.size() > kLargestTransfer - size;
      if (more) break;
      parts[head.msg_iovlen++] = {const_cast<char*>(bytes.data()), bytes.size()};
      size += bytes.size();
    }
  }
};

// MSG_WAITALL as in SendAllOp.
void SendBuffersOp::Prepare(io_uring_sqe& entry) {
  Buffers::Iterator second = next;
  if (++second == Buffers::Iterator()) {
    std::string_view rest = Rest();
    io_uring_prep_send(&entry, descriptor->number, rest.data(), rest.size(), MSG_WAITALL | MSG_NOSIGNAL);
    return;
  }
  if (message == nullptr) message = static_cast<Message*>(internal::AllocateFrame(sizeof(Message)));
  new (message) Message(*this);
  io_uring_prep_sendmsg(&entry, descriptor->number, &message->head,
                        MSG_WAITALL | MSG_NOSIGNAL | (message->more ? MSG_MORE : 0));
}

int SendBuffersOp::Perform(System& system) const {
  Message whole(*this);
  int result = system.SendMessage(descriptor->number, whole.head, whole.more);
  if (result > 0 && static_cast<size_t>(result) < whole.size) descriptor->MarkShortWrite(system);
  return result;
}

bool SendBuffersOp::Advance(int& result) {
  // What the next receive looks at first. The connection may have been idle.
  if (descriptor->multishot != nullptr) __builtin_prefetch(&descriptor->multishot->home);
  if (message != nullptr) internal::FreeFrame(std::exchange(message, nullptr), sizeof(Message));
  if (result < 0) return true;
  sent += static_cast<size_t>(result);
  sent_of_next += static_cast<size_t>(result);
  while (!done() && sent_of_next >= (*next).size()) {
    sent_of_next -= (*next).size();
    ++next;
  }
  return done();
}

absl::Status SendBuffersOp::ToStatus(absl::Status failure) const {
  return WithBytesTransferred(std::move(failure), sent);
}

}  // namespace proactor
