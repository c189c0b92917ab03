// SPDX-License-Identifier: Apache-2.0
//
// CloseOp: closes a descriptor and says whether that went well (close(2)): a file system may report a late write error
// here.
//
//   MakeOperation(CloseOp{.descriptor = file})
//
// What others have in flight on it is cancelled and has ended before (closing.h). Whatever the result,
// the number is free afterwards. A cancelled scope does not keep it from being closed: then its owner closes it.
#ifndef PROACTOR_OPERATION_CLOSE_H_
#define PROACTOR_OPERATION_CLOSE_H_

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct CloseOp {
  static constexpr char kName[] = "close";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  static constexpr bool kCloses = true;
  using Value = void;

  Descriptor* descriptor;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  bool Advance(int& result) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_CLOSE_H_
