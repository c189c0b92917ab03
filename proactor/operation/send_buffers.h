// SPDX-License-Identifier: Apache-2.0
//
// SendBuffersOp: hands all of the bytes in buffers of a pool to a connected socket, one after the other (send(2), or
// sendmsg(2) for several), in as many parts as it takes.
//
//   MakeOperation(SendBuffersOp{.descriptor = socket, .next = buffers.begin()})
//
// The array that the kernel wants for several is made when it is needed, of the memory for coroutine frames, and given
// back at each result: a connection that waits has none.
#ifndef PROACTOR_OPERATION_SEND_BUFFERS_H_
#define PROACTOR_OPERATION_SEND_BUFFERS_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "proactor/buffer.h"
#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct SendBuffersOp {
  static constexpr char kName[] = "send";
  static constexpr Readiness kReadiness = Readiness::kWrite;
  using Value = void;

  // In one message; the kernel would take IOV_MAX.
  static constexpr size_t kMostParts = 16;
  struct Message;

  Descriptor* descriptor;
  Buffers::Iterator next;  // The first with bytes that have not been sent.
  size_t sent_of_next = 0;
  size_t sent = 0;
  Message* message = nullptr;  // While the kernel may read it.

  void Prepare(io_uring_sqe& entry);
  int Perform(System& system) const;
  std::optional<int> Immediate() const { return done() ? std::optional(0) : std::nullopt; }
  bool Advance(int& result);
  absl::Status ToStatus(absl::Status failure) const;
  void ToValue(int) const {}

 private:
  bool done() const { return next == Buffers::Iterator(); }
  std::string_view Rest() const {
    std::string_view rest = *next;
    rest.remove_prefix(sent_of_next);
    return rest;
  }
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_SEND_BUFFERS_H_
