// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/splice.h"

#include <fcntl.h>
#include <liburing.h>

#include <algorithm>
#include <cerrno>

namespace proactor {

void SpliceOp::Prepare(io_uring_sqe& entry) const {
  constexpr int64_t kAtPosition = -1;
  io_uring_prep_splice(&entry, input->number, kAtPosition, descriptor->number, kAtPosition,
                       static_cast<unsigned>(std::min(size, kLargestTransfer)), SPLICE_F_NONBLOCK);
}

int SpliceOp::Perform(System& system) const { return system.Splice(input->number, descriptor->number, size); }

std::optional<int> SpliceOp::Immediate() const {
  bool possible = input->kind == DescriptorKind::kRegularFile && descriptor->kind == DescriptorKind::kPipe;
  return possible && size > 0 ? std::nullopt : std::optional(-EINVAL);
}

}  // namespace proactor
