// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/send_all.h"

#include <liburing.h>

#include <algorithm>

#include "proactor/errors.h"

namespace proactor {

// MSG_WAITALL lets kernels since 5.19 go on by themselves after a short send; the others come back through Advance.
void SendAllOp::Prepare(io_uring_sqe& entry) const {
  std::string_view rest = bytes.substr(sent);
  io_uring_prep_send(&entry, descriptor->number, rest.data(), std::min(rest.size(), kLargestTransfer),
                     MSG_WAITALL | MSG_NOSIGNAL);
}

int SendAllOp::Perform(System& system) const {
  std::string_view rest = bytes.substr(sent);
  int result = system.Send(descriptor->number, rest.data(), rest.size());
  if (result > 0 && static_cast<size_t>(result) < rest.size()) descriptor->MarkShortWrite(system);
  return result;
}

absl::Status SendAllOp::ToStatus(absl::Status failure) const { return WithBytesTransferred(std::move(failure), sent); }

}  // namespace proactor
