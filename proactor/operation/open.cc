// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/open.h"

#include <fcntl.h>
#include <liburing.h>

namespace proactor {

void OpenOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_openat(&entry, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

int OpenOp::Perform(System& to) const { return to.Open(path, flags, mode); }

}  // namespace proactor
