// SPDX-License-Identifier: Apache-2.0
//
// OpenOp: opens or creates a file (openat(2), relative to the working directory).
//
//   MakeOperation(OpenOp{.system = &system, .path = path.c_str(), .flags = O_RDONLY})
#ifndef PROACTOR_OPERATION_OPEN_H_
#define PROACTOR_OPERATION_OPEN_H_

#include <sys/types.h>

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct OpenOp {
  static constexpr char kName[] = "open";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = OwnedDescriptor;  // Its kind is not known yet, and is given as kOther.

  System* system;
  const char* path;
  int flags;
  mode_t mode = 0;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  bool Advance(int& result) const;
  OwnedDescriptor ToValue(int result) const { return OwnedDescriptor(*system, result, DescriptorKind::kOther); }
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_OPEN_H_
