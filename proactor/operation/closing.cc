// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/closing.h"

#include <cerrno>
#include <utility>

#include "proactor/cancellation.h"
#include "proactor/proactor.h"

namespace proactor {

// Until the operation is handed over, its `result_` is how many are to end before.
bool Closing::Begin(Descriptor& descriptor) {
  for (OperationBase* other : {descriptor.reading, descriptor.writing}) {
    if (other == nullptr || (other->state_ & OperationBase::kCloses) == 0) continue;
    operation_.SlotTaken(*other);
    return true;
  }
  operation_.state_ = OperationBase::kWaiting | OperationBase::kCloses;
  operation_.context_.loop->counters.operations.Add();
  Displace(descriptor.reading);
  Displace(descriptor.writing);
  return operation_.result_ > 0 || GoOn();
}

void Closing::Displace(OperationBase*& slot) {
  OperationBase* other = std::exchange(slot, &operation_);
  if (other == nullptr) return;
  ++operation_.result_;
  other->Cancel();
  // Also one that has a result and waits for its turn, which `Cancel` leaves alone.
  other->state_ |= OperationBase::kDisplaced | OperationBase::kCancelRequested;
}

void Closing::RoomMade(OperationBase& closing) {
  if (--closing.result_ == 0) closing.context_.loop->ready_queue.Push(closing);
}

bool Closing::GoOn() {
  if (handed_over_) return false;
  if (operation_.context_.scope->cancelled()) {
    operation_.result_ = -ECANCELED;
    return false;
  }
  handed_over_ = true;
  BeforeClosing(*operation_.descriptor());
  operation_.state_ |= OperationBase::kInFlight;
  operation_.context_.loop->proactor.Submit(operation_);
  return (operation_.state_ & OperationBase::kInFlight) != 0;
}

void Closing::End(Descriptor& descriptor) {
  descriptor.reading = descriptor.writing = nullptr;
  operation_.End(nullptr);
}

}  // namespace proactor
