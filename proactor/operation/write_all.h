// SPDX-License-Identifier: Apache-2.0
//
// WriteAllOp and WriteAllAtOp: write all of the bytes to anything that is not a socket (write(2), pwrite(2)), in as
// many parts as it takes.
//
//   MakeOperation(WriteAllOp{{.descriptor = file, .bytes = bytes}})
//   MakeOperation(WriteAllAtOp{{.descriptor = file, .bytes = bytes, .offset = 4096}})
#ifndef PROACTOR_OPERATION_WRITE_ALL_H_
#define PROACTOR_OPERATION_WRITE_ALL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

// What both have in common.
struct WriteFields {
  using Value = void;

  Descriptor* descriptor;
  std::string_view bytes;
  int64_t offset = -1;  // -1: the descriptor's own position, or the end where it was opened to append.
  size_t written = 0;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  std::optional<int> Immediate() const { return bytes.empty() ? std::optional(0) : std::nullopt; }
  bool Advance(int& result);
  absl::Status ToStatus(absl::Status failure) const;
  void ToValue(int) const {}

 private:
  int64_t PartOffset() const { return offset < 0 ? -1 : offset + static_cast<int64_t>(written); }
};

// At the descriptor's position: one at a time, and waits where the descriptor is a pipe or a terminal.
struct WriteAllOp : WriteFields {
  static constexpr char kName[] = "write";
  static constexpr Readiness kReadiness = Readiness::kWrite;
};

// At an offset: any number at a time.
struct WriteAllAtOp : WriteFields {
  static constexpr char kName[] = "pwrite";
  static constexpr Readiness kReadiness = Readiness::kBlocking;

  std::optional<int> Immediate() const;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_WRITE_ALL_H_
