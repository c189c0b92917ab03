// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/send_all_list.h"

#include <liburing.h>

#include "proactor/errors.h"

namespace proactor {

// MSG_WAITALL as in send_all.cc. The kernel copies the message when it takes the entry from the queue (since 5.5, and
// earlier ones are refused), so it may change for the rest.
void SendAllListOp::Prepare(io_uring_sqe& entry) {
  msghdr& message = list.NextMessage();
  io_uring_prep_sendmsg(&entry, descriptor->number, &message,
                        MSG_WAITALL | MSG_NOSIGNAL | (list.more() ? MSG_MORE : 0));
}

int SendAllListOp::Perform(System& system) {
  msghdr& message = list.NextMessage();
  int result = system.SendMessage(descriptor->number, message, list.more());
  if (result > 0 && static_cast<size_t>(result) < list.size()) descriptor->MarkShortWrite(system);
  return result;
}

absl::Status SendAllListOp::ToStatus(absl::Status failure) const {
  return WithBytesTransferred(std::move(failure), list.transferred());
}

}  // namespace proactor
