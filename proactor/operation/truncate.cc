// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/truncate.h"

#include <liburing.h>

namespace proactor {
namespace {

// IORING_OP_FTRUNCATE, since Linux 6.9; newer than the liburing that this builds with.
constexpr unsigned kOpTruncate = 55;

}  // namespace

void TruncateOp::Prepare(io_uring_sqe& entry) const {
  entry.opcode = kOpTruncate;
  entry.fd = descriptor->number;
  entry.off = static_cast<uint64_t>(size);
}

int TruncateOp::Perform(System& system) const { return system.Truncate(descriptor->number, size); }

}  // namespace proactor
