// SPDX-License-Identifier: Apache-2.0
//
// SendAllListOp: hands all of the bytes of several buffers to a connected socket, one after the other (sendmsg(2)), in
// as many parts as it takes.
//
//   std::string_view pieces[] = {head, body};
//   MakeOperation(SendAllListOp{.descriptor = socket, .list = ListTransfer<std::string_view>(pieces)})
#ifndef PROACTOR_OPERATION_SEND_ALL_LIST_H_
#define PROACTOR_OPERATION_SEND_ALL_LIST_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "proactor/descriptor.h"
#include "proactor/operation/list_transfer.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct SendAllListOp {
  static constexpr char kName[] = "sendmsg";
  static constexpr Readiness kReadiness = Readiness::kWrite;
  using Value = void;

  Descriptor* descriptor;
  ListTransfer<std::string_view> list;

  void Prepare(io_uring_sqe& entry);
  int Perform(System& system);
  std::optional<int> Immediate() const { return list.done() ? std::optional(0) : std::nullopt; }
  bool Advance(int& result) {
    if (result < 0) return true;
    list.Advance(static_cast<size_t>(result));
    return list.done();
  }
  absl::Status ToStatus(absl::Status failure) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_SEND_ALL_LIST_H_
