// SPDX-License-Identifier: Apache-2.0
//
// CallOp: calls a function that may block, where that holds nobody up: on a thread of the BlockingPool.
//
//   MakeOperation(CallOp{.call = call})
//
// A simulated system calls it in its own time, on the one thread there is.
//
// Cancelled: only while no thread has begun with it.
#ifndef PROACTOR_OPERATION_CALL_H_
#define PROACTOR_OPERATION_CALL_H_

#include "proactor/operation/operation_base.h"
#include "proactor/system.h"

namespace proactor {

class BlockingCall {
 public:
  virtual void Call() = 0;

 protected:
  ~BlockingCall() = default;
};

struct CallOp {
  static constexpr char kName[] = "call";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;

  BlockingCall* call;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_CALL_H_
