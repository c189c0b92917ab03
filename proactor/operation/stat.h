// SPDX-License-Identifier: Apache-2.0
//
// StatOp: asks what is known of an open file (statx(2)).
//
//   struct statx facts;
//   MakeOperation(StatOp{.descriptor = file, .facts = &facts})
#ifndef PROACTOR_OPERATION_STAT_H_
#define PROACTOR_OPERATION_STAT_H_

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

struct statx;

namespace proactor {

struct StatOp {
  static constexpr char kName[] = "statx";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;

  Descriptor* descriptor;
  struct statx* facts;  // Filled with the basic ones (STATX_BASIC_STATS).

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_STAT_H_
