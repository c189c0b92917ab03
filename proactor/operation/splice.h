// SPDX-License-Identifier: Apache-2.0
//
// SpliceOp: move bytes from a regular file into a pipe without copying them (splice(2)).
//
//   MakeOperation(SpliceOp{.input = file, .descriptor = pipe, .size = 1 << 20})
//
// What waits is the pipe, for room: the operation takes its write slot, and never waits inside the call
// (SPLICE_F_NONBLOCK), so that it can be cancelled while nobody reads. Reading the file may take its time, and is not
// interrupted: a worker thread of the kernel, or of the BlockingPool, does it. Therefore the input may be nothing that
// waits, such as another pipe: one could not tell which of the two to wait for.
#ifndef PROACTOR_OPERATION_SPLICE_H_
#define PROACTOR_OPERATION_SPLICE_H_

#include <cstddef>
#include <optional>

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct SpliceOp {
  static constexpr char kName[] = "splice";
  static constexpr Readiness kReadiness = Readiness::kWrite;
  using Value = size_t;  // Bytes; 0 at the end of the input.

  Descriptor* input;
  Descriptor* descriptor;  // The output.
  size_t size;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  // -EINVAL, as splice(2) says to a pair that it cannot do; and for zero bytes, which would read as the end.
  std::optional<int> Immediate() const;
  size_t ToValue(int result) const { return static_cast<size_t>(result); }
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_SPLICE_H_
