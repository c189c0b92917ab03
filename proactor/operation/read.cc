// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/read.h"

#include <liburing.h>

#include <algorithm>

namespace proactor {

void ReadFields::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_read(&entry, descriptor->number, buffer.data(),
                     static_cast<unsigned>(std::min(buffer.size(), kLargestTransfer)), static_cast<uint64_t>(offset));
}

int ReadFields::Perform(System& system) const {
  int result = system.Read(descriptor->number, buffer.data(), buffer.size(), offset);
  if (result > 0 && static_cast<size_t>(result) < buffer.size() && IsStream(descriptor->kind)) {
    descriptor->MarkShortRead(system);
  }
  return result;
}

// As pread(2). The ring would take a negative offset for the position, and none for what has no offsets.
std::optional<int> ReadAtOp::Immediate() const {
  if (offset < 0) return -EINVAL;
  if (!MayHaveOffsets(descriptor->kind)) return -ESPIPE;
  return ReadFields::Immediate();
}

}  // namespace proactor
