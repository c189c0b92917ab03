// SPDX-License-Identifier: Apache-2.0
//
// RecvListOp: receives bytes from a connected socket into several buffers, one after the other (recvmsg(2)): what has
// arrived, and at least one byte.
//
//   std::span<char> buffers[] = {head, body};
//   MakeOperation(RecvListOp{.descriptor = socket, .list = ListTransfer<std::span<char>>(buffers)})
//
// Of a long list it fills the first 16 buffers at most.
#ifndef PROACTOR_OPERATION_RECV_LIST_H_
#define PROACTOR_OPERATION_RECV_LIST_H_

#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>

#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/multishot.h"
#include "proactor/operation/list_transfer.h"
#include "proactor/operation/handover.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct RecvListOp {
  static constexpr char kName[] = "recvmsg";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = size_t;  // Bytes; 0 once the peer has finished sending.

  Descriptor* descriptor;
  ListTransfer<std::span<char>> list;

  void Prepare(io_uring_sqe& entry);
  int Perform(System& system);
  // Zero bytes would read as the end of the stream.
  std::optional<int> Immediate() const { return list.done() ? std::optional(-EINVAL) : std::nullopt; }
  // As for RecvOp.
  bool HasResult(Loop& loop) {
    Multishot* ahead = descriptor->multishot;
    return ahead != nullptr && !ComesFromElsewhere(*ahead, loop) && ahead->HasResult();
  }
  bool Advance(int& result) { return descriptor->multishot == nullptr || result >= 0 || TakeAhead(result); }
  bool StandInLine(OperationBase& self, int result) const {
    return result == -EXDEV && WaitForHandover(*descriptor->multishot, self);
  }
  size_t ToValue(int result) const { return static_cast<size_t>(result); }

 private:
  bool TakeAhead(int& result);
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_RECV_LIST_H_
