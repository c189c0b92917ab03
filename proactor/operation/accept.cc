// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/accept.h"

#include <liburing.h>

#include <cerrno>

namespace proactor {

void AcceptOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_accept(&entry, descriptor->number, nullptr, nullptr, SOCK_CLOEXEC);
}

int AcceptOp::Perform(System& system) const { return system.Accept(descriptor->number, nullptr, nullptr); }

// What the system is short of, it will have again; the connection waits until then.
bool AcceptOp::NeedsPause(int result) const {
  return result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
}

// accept(2): Linux passes errors that are pending on the new connection, and says to treat them like EAGAIN.
bool AcceptOp::Advance(int& result) const {
  switch (-result) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return false;
    default:
      return !NeedsPause(result);
  }
}

OwnedDescriptor AcceptOp::ToValue(int result) const {
  return OwnedDescriptor(descriptor->system, result, descriptor->kind);
}

}  // namespace proactor
