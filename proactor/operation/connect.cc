// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/connect.h"

#include <liburing.h>

#include <cerrno>

namespace proactor {

void ConnectOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_connect(&entry, descriptor->number, address, size);
}

// Asking again is how to learn the outcome of an attempt that is under way: Linux answers EALREADY until it is known.
int ConnectOp::Perform(System& system) const {
  int result = system.Connect(descriptor->number, address, size);
  return result == -EINPROGRESS || result == -EALREADY ? -EAGAIN : result;
}

}  // namespace proactor
