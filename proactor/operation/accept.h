// SPDX-License-Identifier: Apache-2.0
//
// AcceptOp: takes the next connection from a listening socket (accept4(2)).
//
//   MakeOperation(AcceptOp{.descriptor = listener})
//
// A connection that was reset before it was taken is not an error: the operation goes on to the next one. Nor is it one
// that there is no descriptor or no memory for a connection: the operation takes it when there is (pause.h).
#ifndef PROACTOR_OPERATION_ACCEPT_H_
#define PROACTOR_OPERATION_ACCEPT_H_

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct AcceptOp {
  static constexpr char kName[] = "accept";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = OwnedDescriptor;  // The connection.

  Descriptor* descriptor;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  bool Advance(int& result) const;
  bool NeedsPause(int result) const;
  OwnedDescriptor ToValue(int result) const;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_ACCEPT_H_
