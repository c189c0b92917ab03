// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv_list.h"

#include <liburing.h>

namespace proactor {

void RecvListOp::Prepare(io_uring_sqe& entry) {
  io_uring_prep_recvmsg(&entry, descriptor->number, &list.NextMessage(), 0);
}

int RecvListOp::Perform(System& system) {
  int result = system.ReceiveMessage(descriptor->number, list.NextMessage());
  if (result > 0 && static_cast<size_t>(result) < list.size()) descriptor->MarkShortRead(system);
  return result;
}

}  // namespace proactor
