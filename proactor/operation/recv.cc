// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv.h"

#include <liburing.h>

#include <algorithm>

#include "proactor/multishot.h"

namespace proactor {

void RecvOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_recv(&entry, descriptor->number, buffer.data(), std::min(buffer.size(), kLargestTransfer), 0);
  // Where a request is armed, what comes comes to that.
  entry.user_data = reinterpret_cast<uintptr_t>(descriptor->multishot);
}

int RecvOp::Perform(System& system) const {
  int result = system.Receive(descriptor->number, buffer.data(), buffer.size());
  if (result > 0 && static_cast<size_t>(result) < buffer.size()) descriptor->MarkShortRead(system);
  return result;
}

std::optional<int> RecvOp::TakeAhead() const {
  Multishot& ahead = *descriptor->multishot;
  return ahead.HasResult() ? std::optional(ahead.Copy(buffer.data(), buffer.size())) : std::nullopt;
}

}  // namespace proactor
