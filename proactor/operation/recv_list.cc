// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv_list.h"

#include <liburing.h>

#include "proactor/multishot.h"

namespace proactor {

void RecvListOp::Prepare(io_uring_sqe& entry) {
  io_uring_prep_recvmsg(&entry, descriptor->number, &list.NextMessage(), 0);
  entry.user_data = reinterpret_cast<uintptr_t>(descriptor->multishot);
}

int RecvListOp::Perform(System& system) {
  int result = system.ReceiveMessage(descriptor->number, list.NextMessage());
  if (result > 0 && static_cast<size_t>(result) < list.size()) descriptor->MarkShortRead(system);
  return result;
}

std::optional<int> RecvListOp::TakeAhead() {
  Multishot& ahead = *descriptor->multishot;
  if (!ahead.HasResult()) return std::nullopt;
  const msghdr& message = list.NextMessage();
  int copied = 0;
  for (size_t i = 0; i < message.msg_iovlen && (i == 0 || ahead.HasUnreadBytes()); ++i) {
    const iovec& part = message.msg_iov[i];
    int result = ahead.Copy(static_cast<char*>(part.iov_base), part.iov_len);
    if (result <= 0) return result;
    copied += result;
  }
  return copied;
}

}  // namespace proactor
