// SPDX-License-Identifier: Apache-2.0
//
// RecvOp: receives bytes from a connected socket (recv(2)): what has arrived, and at least one byte.
//
//   MakeOperation(RecvOp{.descriptor = socket, .buffer = buffer})
#ifndef PROACTOR_OPERATION_RECV_H_
#define PROACTOR_OPERATION_RECV_H_

#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct RecvOp {
  static constexpr char kName[] = "recv";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = size_t;  // Bytes; 0 once the peer has finished sending.

  Descriptor* descriptor;
  std::span<char> buffer;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  // Zero bytes would read as the end of the stream.
  std::optional<int> Immediate() const { return buffer.empty() ? std::optional(-EINVAL) : std::nullopt; }
  size_t ToValue(int result) const { return static_cast<size_t>(result); }
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_RECV_H_
