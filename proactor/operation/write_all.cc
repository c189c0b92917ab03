// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/write_all.h"

#include <liburing.h>

#include <algorithm>
#include <cerrno>

#include "proactor/errors.h"

namespace proactor {

void WriteFields::Prepare(io_uring_sqe& entry) const {
  std::string_view rest = bytes.substr(written);
  io_uring_prep_write(&entry, descriptor->number, rest.data(),
                      static_cast<unsigned>(std::min(rest.size(), kLargestTransfer)),
                      static_cast<uint64_t>(PartOffset()));
}

int WriteFields::Perform(System& system) const {
  std::string_view rest = bytes.substr(written);
  int result = system.Write(descriptor->number, rest.data(), rest.size(), PartOffset());
  if (result > 0 && static_cast<size_t>(result) < rest.size() && IsStream(descriptor->kind)) {
    descriptor->MarkShortWrite(system);
  }
  return result;
}

bool WriteFields::Advance(int& result) {
  if (result < 0) return true;
  // A device that takes nothing and reports no error would be asked for ever.
  if (result == 0) {
    result = -EIO;
    return true;
  }
  written += static_cast<size_t>(result);
  return written == bytes.size();
}

// As pwrite(2). The ring would take a negative offset for the position, and none for what has no offsets.
std::optional<int> WriteAllAtOp::Immediate() const {
  if (offset < 0) return -EINVAL;
  if (!MayHaveOffsets(descriptor->kind)) return -ESPIPE;
  return WriteFields::Immediate();
}

absl::Status WriteFields::ToStatus(absl::Status failure) const {
  return WithBytesTransferred(std::move(failure), written);
}

}  // namespace proactor
