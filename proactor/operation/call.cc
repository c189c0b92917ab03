// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/call.h"

#include <liburing.h>

#include <cerrno>

namespace proactor {

void CallOp::Prepare(io_uring_sqe& entry) const { entry.opcode = kNoOpcode; }

int CallOp::Perform(System& system) const {
  if (!system.may_block()) return -EOPNOTSUPP;
  call->Call();
  return 0;
}

}  // namespace proactor
