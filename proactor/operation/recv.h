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

#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/multishot.h"
#include "proactor/operation/handover.h"
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
  // What came ahead of it, on a stream that receives into a pool as well (receive.h).
  bool HasResult(Loop& loop) const {
    Multishot* ahead = descriptor->multishot;
    return ahead != nullptr && !ComesFromElsewhere(*ahead, loop) && ahead->HasResult();
  }
  bool Advance(int& result) const { return descriptor->multishot == nullptr || result >= 0 || TakeAhead(result); }
  bool StandInLine(OperationBase& self, int result) const {
    return result == -EXDEV && WaitForHandover(*descriptor->multishot, self);
  }
  size_t ToValue(int result) const { return static_cast<size_t>(result); }

 private:
  bool TakeAhead(int& result) const;  // False: it has to come here first.
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_RECV_H_
