// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/closing.h"

#include <cerrno>
#include <utility>

#include "proactor/cancellation.h"
#include "proactor/multishot.h"
#include "proactor/operation/handover.h"
#include "proactor/proactor.h"

namespace proactor {

OperationBase* Closing::Of(const Descriptor& descriptor) {
  OperationBase* reading = descriptor.reading;
  return reading != nullptr && (reading->state_ & OperationBase::kCloses) != 0 ? reading : nullptr;
}

// Until the operation is handed over, its `result_` is how many are to end before.
bool Closing::Begin(Descriptor& descriptor) {
  if (OperationBase* other = Closing::Of(descriptor); other != nullptr) {
    operation_.SlotTaken(*other);
    return true;
  }
  operation_.state_ = OperationBase::kWaiting | OperationBase::kCloses;
  operation_.context_.loop->counters.operations.Add();
  for (OperationBase** slot : {&descriptor.reading, &descriptor.writing}) {
    OperationBase* other = std::exchange(*slot, &operation_);
    if (other == nullptr) continue;
    Displace(*other);
    other->state_ |= OperationBase::kDisplaced;
  }
  for (Sharing* other = descriptor.sharing; other != nullptr; other = other->next_) Displace(other->operation_);
  return operation_.result_ > 0 || GoOn();
}

void Closing::Displace(OperationBase& other) {
  ++operation_.result_;
  other.Cancel();
  // Also one that has a result and waits for its turn, which `Cancel` leaves alone.
  other.state_ |= OperationBase::kCancelRequested;
}

void Closing::RoomMade(OperationBase& closing) {
  if (--closing.result_ == 0) closing.context_.loop->ready_queue.Push(closing);
}

bool Closing::GoOn() {
  if (handed_over_) return false;
  // What is armed elsewhere is ended there.
  Multishot* multishot = operation_.descriptor()->multishot;
  if (multishot != nullptr) ComesFromElsewhere(*multishot, *operation_.context_.loop);
  if (multishot != nullptr && WaitForHandover(*multishot, operation_)) return true;
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

bool Sharing::Begin(Descriptor& descriptor, OperationBase* const* slot) {
  const OperationBase* taken = slot != nullptr ? *slot : nullptr;
  if (taken == nullptr) taken = Closing::Of(descriptor);
  if (taken != nullptr) {
    operation_.SlotTaken(*taken);
    return false;
  }
  next_ = std::exchange(descriptor.sharing, this);
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &descriptor.sharing;
  return true;
}

void Sharing::End(Descriptor& descriptor) {
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  if (OperationBase* closing = Closing::Of(descriptor); closing != nullptr) Closing::RoomMade(*closing);
}

void Closing::End(Descriptor& descriptor) {
  descriptor.reading = descriptor.writing = nullptr;
  operation_.End(nullptr);
}

}  // namespace proactor
