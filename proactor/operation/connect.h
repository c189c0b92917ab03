// SPDX-License-Identifier: Apache-2.0
//
// ConnectOp: connects a socket to an address (connect(2)).
//
//   MakeOperation(ConnectOp{.descriptor = socket, .address = address.data(), .size = address.size()})
#ifndef PROACTOR_OPERATION_CONNECT_H_
#define PROACTOR_OPERATION_CONNECT_H_

#include <sys/socket.h>

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

struct ConnectOp {
  static constexpr char kName[] = "connect";
  static constexpr Readiness kReadiness = Readiness::kWrite;
  using Value = void;

  Descriptor* descriptor;
  const sockaddr* address;
  socklen_t size;

  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  void ToValue(int) const {}
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_CONNECT_H_
