// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/open.h"

#include <fcntl.h>
#include <liburing.h>

#include <cerrno>

namespace proactor {

void OpenOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_openat(&entry, AT_FDCWD, path, flags | O_CLOEXEC, mode);
  // On a worker from the start: inline, the kernel first tries with O_NONBLOCK and takes whatever that yields, which
  // for a FIFO without its other end is a reader at the end of the file, or a writer's ENXIO.
  if ((flags & O_NONBLOCK) == 0) entry.flags |= IOSQE_ASYNC;
}

// A worker that is interrupted while it waits for the other end of a FIFO gives what only the kernel should see.
bool OpenOp::Advance(int& result) const {
  constexpr int kRestartSystemCall = 512;  // ERESTARTSYS
  if (result == -kRestartSystemCall) result = -EINTR;
  return true;
}

int OpenOp::Perform(System& to) const { return to.Open(path, flags, mode); }

}  // namespace proactor
