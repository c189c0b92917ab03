// SPDX-License-Identifier: Apache-2.0
//
// TruncateOp: sets a file's size (ftruncate(2)).
//
//   MakeOperation(TruncateOp{.descriptor = file, .size = 0})
#ifndef PROACTOR_OPERATION_TRUNCATE_H_
#define PROACTOR_OPERATION_TRUNCATE_H_

#include <cstdint>

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct TruncateOp {
  static constexpr char kName[] = "ftruncate";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;

  Descriptor* descriptor;
  int64_t size;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_TRUNCATE_H_
