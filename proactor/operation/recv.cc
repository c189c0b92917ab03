// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv.h"

#include <liburing.h>

#include <algorithm>

namespace proactor {

void RecvOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_recv(&entry, descriptor->number, buffer.data(), std::min(buffer.size(), kLargestTransfer), 0);
}

int RecvOp::Perform(System& system) const {
  return system.Receive(descriptor->number, buffer.data(), buffer.size());
}

}  // namespace proactor
