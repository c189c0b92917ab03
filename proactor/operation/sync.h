// SPDX-License-Identifier: Apache-2.0
//
// SyncOp: forces a file's data, and its metadata unless told otherwise, to the device (fsync(2), fdatasync(2)).
//
//   MakeOperation(SyncOp{.descriptor = file, .data_only = true})
#ifndef PROACTOR_OPERATION_SYNC_H_
#define PROACTOR_OPERATION_SYNC_H_

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct SyncOp {
  static constexpr char kName[] = "fsync";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;

  Descriptor* descriptor;
  bool data_only = false;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_SYNC_H_
