// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/stat.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>

namespace proactor {

void StatOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_statx(&entry, descriptor->number, "", AT_EMPTY_PATH, STATX_BASIC_STATS, facts);
}

int StatOp::Perform(System& system) const { return system.Stat(descriptor->number, STATX_BASIC_STATS, facts); }

}  // namespace proactor
