// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/close.h"

#include <liburing.h>

#include <cerrno>

#include "proactor/pause.h"

namespace proactor {

void CloseOp::Prepare(io_uring_sqe& entry) const { io_uring_prep_close(&entry, descriptor->number); }

int CloseOp::Perform(System& system) const {
  descriptor->StopWatching();
  return system.Close(descriptor->number);
}

bool CloseOp::Advance(int& result) const {
  // Never tried: the owner still has to.
  if (result == -ECANCELED) return true;
  // The number may be someone else's by now. That is so after EINTR too, which must not be repeated (close(2)).
  if (result == -EINTR) result = 0;
  descriptor->closes = false;
  descriptor->number = -1;
  DescriptorClosed();
  return true;
}

}  // namespace proactor
