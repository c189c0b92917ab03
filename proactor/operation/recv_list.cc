// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv_list.h"

#include <liburing.h>

#include "proactor/multishot.h"

namespace proactor {

void RecvListOp::Prepare(io_uring_sqe& entry) {
  io_uring_prep_recvmsg(&entry, descriptor->number, &list.NextMessage(), 0);
  if (descriptor->multishot != nullptr) WaitFor(*descriptor->multishot, entry);
}

int RecvListOp::Perform(System& system) {
  if (descriptor->multishot != nullptr && descriptor->multishot->moving) return -EXDEV;
  int result = system.ReceiveMessage(descriptor->number, list.NextMessage());
  if (result > 0 && static_cast<size_t>(result) < list.size()) descriptor->MarkShortRead(system);
  return result;
}

bool RecvListOp::TakeAhead(int& result) {
  Multishot& ahead = *descriptor->multishot;
  if (IsElsewhere(&ahead, result)) return false;
  if (!ahead.HasResult()) return true;
  const msghdr& message = list.NextMessage();
  int copied = 0;
  for (size_t i = 0; i < message.msg_iovlen && (i == 0 || ahead.HasUnreadBytes()); ++i) {
    const iovec& part = message.msg_iov[i];
    int more = ahead.Copy(static_cast<char*>(part.iov_base), part.iov_len);
    if (more <= 0) {
      result = more;
      return true;
    }
    copied += more;
  }
  result = copied;
  return true;
}

}  // namespace proactor
