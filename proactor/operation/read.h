// SPDX-License-Identifier: Apache-2.0
//
// ReadOp and ReadAtOp: read from anything that is not a socket (read(2), pread(2)).
//
//   MakeOperation(ReadOp{{.descriptor = file, .buffer = buffer}})
//   MakeOperation(ReadAtOp{{.descriptor = file, .buffer = buffer, .offset = 4096}})
#ifndef PROACTOR_OPERATION_READ_H_
#define PROACTOR_OPERATION_READ_H_

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

// What both have in common.
struct ReadFields {
  using Value = size_t;  // Bytes; 0 at the end.

  Descriptor* descriptor;
  std::span<char> buffer;
  int64_t offset = -1;  // -1: the descriptor's own position.

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  // Zero bytes would read as the end of the file.
  std::optional<int> Immediate() const { return buffer.empty() ? std::optional(-EINVAL) : std::nullopt; }
  size_t ToValue(int result) const { return static_cast<size_t>(result); }
};

// At the descriptor's position, which moves: one at a time, and waits where the descriptor is a pipe or a terminal.
struct ReadOp : ReadFields {
  static constexpr char kName[] = "read";
  static constexpr Readiness kReadiness = Readiness::kRead;
};

// At an offset: any number at a time.
struct ReadAtOp : ReadFields {
  static constexpr char kName[] = "pread";
  static constexpr Readiness kReadiness = Readiness::kBlocking;

  std::optional<int> Immediate() const;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_READ_H_
