// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv.h"

#include <liburing.h>

#include <algorithm>

#include "proactor/multishot.h"

namespace proactor {

void RecvOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_recv(&entry, descriptor->number, buffer.data(), std::min(buffer.size(), kLargestTransfer), 0);
  // Where a request is armed, what comes comes to that.
  if (descriptor->multishot != nullptr) WaitFor(*descriptor->multishot, entry);
}

int RecvOp::Perform(System& system) const {
  if (descriptor->multishot != nullptr && descriptor->multishot->moving) return -EXDEV;
  int result = system.Receive(descriptor->number, buffer.data(), buffer.size());
  if (result > 0 && static_cast<size_t>(result) < buffer.size()) descriptor->MarkShortRead(system);
  return result;
}

bool RecvOp::TakeAhead(int& result) const {
  Multishot& ahead = *descriptor->multishot;
  if (IsElsewhere(&ahead, result)) return false;
  if (ahead.HasResult()) result = ahead.Copy(buffer.data(), buffer.size());
  return true;
}

}  // namespace proactor
