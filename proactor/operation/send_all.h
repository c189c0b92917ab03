// SPDX-License-Identifier: Apache-2.0
//
// SendAllOp: hands all of the bytes to a connected socket (send(2)), in as many parts as it takes.
//
//   MakeOperation(SendAllOp{.descriptor = socket, .bytes = bytes})
#ifndef PROACTOR_OPERATION_SEND_ALL_H_
#define PROACTOR_OPERATION_SEND_ALL_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct SendAllOp {
  static constexpr char kName[] = "send";
  static constexpr Readiness kReadiness = Readiness::kWrite;
  using Value = void;

  Descriptor* descriptor;
  std::string_view bytes;
  size_t sent = 0;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  std::optional<int> Immediate() const { return bytes.empty() ? std::optional(0) : std::nullopt; }
  bool Advance(int& result) {
    if (result < 0) return true;
    sent += static_cast<size_t>(result);
    return sent == bytes.size();
  }
  absl::Status ToStatus(absl::Status failure) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_SEND_ALL_H_
