// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/sync.h"

#include <liburing.h>

namespace proactor {

void SyncOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_fsync(&entry, descriptor->number, data_only ? IORING_FSYNC_DATASYNC : 0);
}

int SyncOp::Perform(System& system) const { return system.Sync(descriptor->number, data_only); }

}  // namespace proactor
