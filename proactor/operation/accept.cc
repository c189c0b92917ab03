// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/accept.h"

#include <liburing.h>

#include <cerrno>
#include <utility>

#include "proactor/operation/handover.h"
#include "proactor/pause.h"
#include "proactor/proactor.h"

namespace proactor {

void AcceptQueue::Clear() {
  while (next_ < accepted_.size()) {
    descriptor().system.Close(accepted_[next_++]);
    DescriptorClosed();
  }
}

void AcceptQueue::Prepare(io_uring_sqe& entry) {
  io_uring_prep_multishot_accept(&entry, descriptor().number, nullptr, nullptr, SOCK_CLOEXEC);
}

bool AcceptQueue::Take(int result, int, bool) {
  if (result >= 0) {
    accepted_.push_back(result);
    over_limit_ = accepted_.size() - next_ >= kMostAhead;
  } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    failure_ = result;
  }
  return wanted();
}

// One that does not listen (accept(2)).
bool AcceptQueue::DescriptorIsWrong() const {
  int listens = 0;
  socklen_t size = sizeof(listens);
  int result = descriptor().system.GetSocketOption(descriptor().number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  return result < 0 || listens == 0;
}

int AcceptQueue::TakeOutcome() {
  if (next_ == accepted_.size()) return std::exchange(failure_, 0);
  int accepted = accepted_[next_++];
  if (next_ == accepted_.size()) {
    accepted_.clear();
    next_ = 0;
    if (std::exchange(over_limit_, false)) home->proactor.Adjust(*this);
  }
  return accepted;
}

bool AcceptOp::HasResult(Loop& loop) const {
  if (queue() == nullptr) descriptor->multishot = new AcceptQueue(*descriptor);
  return !ComesFromElsewhere(*queue(), loop) && queue()->HasResult();
}

void AcceptOp::Prepare(io_uring_sqe& entry) const {
  io_uring_prep_accept(&entry, descriptor->number, nullptr, nullptr, SOCK_CLOEXEC);
  // Or rather:
  if (queue() != nullptr) WaitFor(*queue(), entry);
}

int AcceptOp::Perform(System& system) const {
  if (queue()->moving) return -EXDEV;
  return system.Accept(descriptor->number, nullptr, nullptr);
}

// What the system is short of, it will have again; the connection waits until then.
bool AcceptOp::NeedsPause(int result) const {
  return result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
}

// accept(2): Linux passes errors that are pending on the new connection, and says to treat them like EAGAIN.
bool AcceptOp::Advance(int& result) const {
  if (IsElsewhere(queue(), result)) return false;
  if (result < 0 && queue()->HasResult()) result = queue()->TakeOutcome();
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

bool AcceptOp::StandInLine(OperationBase& self, int result) const {
  return result == -EXDEV && WaitForHandover(*queue(), self);
}

OwnedDescriptor AcceptOp::ToValue(int result) const {
  return OwnedDescriptor(descriptor->system, result, descriptor->kind);
}

}  // namespace proactor
