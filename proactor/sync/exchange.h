// SPDX-License-Identifier: Apache-2.0
//
// Exchange: what Channel and SharedChannel have in common: the values that are queued, who waits to send one, and who
// waits to receive one.
//
//   Exchange<T, Waiter, WaiterList> exchange(16);
//   bool sent = exchange.Send(value, nullptr);     // If not: wait in exchange.senders, as an Exchange::Sending.
//
// Receivers wait only while nothing is queued, senders only while there is no room. A select may do both on one channel
// and does not meet itself, so each function is told whose coroutine calls it; null stands for nobody's.
//
// Threads: one at a time.
#ifndef PROACTOR_SYNC_EXCHANGE_H_
#define PROACTOR_SYNC_EXCHANGE_H_

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/promise.h"
#include "proactor/sync/fixed_queue.h"

namespace proactor::internal {

// The wait of who sends `value`; `Waiter` is the wait itself.
template <class T, class Waiter>
class SendingWaiter : public Waiter {
 public:
  template <class... Arguments>
  explicit SendingWaiter(T& value, Arguments&&... arguments)
      : Waiter(std::forward<Arguments>(arguments)...), value_(value) {}

  // The value has not been moved from, and never will be.
  void Refuse() { refused_ = true; }
  bool refused() const { return refused_; }
  T& value() { return value_; }

 private:
  T& value_;
  bool refused_ = false;
};

// The wait of who receives a value: none at the end.
template <class T, class Waiter>
class ReceivingWaiter : public Waiter {
 public:
  using Waiter::Waiter;
  std::optional<T>& value() { return value_; }

 private:
  std::optional<T> value_;
};

inline absl::Status ChannelClosed() { return absl::FailedPreconditionError("send: the channel is closed"); }

// The leaf of a coroutine that waits as a SendingWaiter, less its `Start` and `Describe`.
template <class Base>
class SendingLeaf : public Base {
 public:
  using Base::Base;
  bool Failed() const { return this->refused() || Base::Failed(); }
  absl::Status TakeFailure() const { return this->refused() ? ChannelClosed() : Base::TakeFailure(); }
  absl::Status TakeResult() const { return Failed() ? TakeFailure() : absl::OkStatus(); }
};

// The same as a ReceivingWaiter.
template <class T, class Base>
class ReceivingLeaf : public Base {
 public:
  using Base::Base;
  // In parts: a copy of the whole would have to wait until the parts, just stored, are in the cache.
  std::optional<T> TakeValue() {
    if (!this->value().has_value()) return std::nullopt;
    return std::optional<T>(std::in_place, *std::move(this->value()));
  }
  absl::StatusOr<std::optional<T>> TakeResult() {
    if (this->Failed()) return this->TakeFailure();
    return TakeValue();
  }
};

template <class T, class Waiter, class List>
class Exchange {
 public:
  using Sending = SendingWaiter<T, Waiter>;
  using Receiving = ReceivingWaiter<T, Waiter>;

  explicit Exchange(size_t capacity) : queue(capacity) {}

  // Moves `value` to a receiver or into the queue, if one or the other is there.
  bool Send(T& value, const PromiseBase* sender) {
    if (!receivers.empty()) {
      if (Waiter* waiter = receivers.FrontExcept(sender)) {
        static_cast<Receiving*>(waiter)->value().emplace(std::move(value));
        receivers.Wake(*waiter);
        return true;
      }
    }
    if (queue.full()) return false;
    queue.Push(std::move(value));
    return true;
  }

  // Moves the oldest value into `taken`, if there is one, and that of a sender who waits into the room it leaves.
  bool Receive(std::optional<T>& taken, const PromiseBase* receiver) {
    Waiter* waiter = senders.empty() ? nullptr : senders.FrontExcept(receiver);
    if (!queue.empty()) {
      taken.emplace(std::move(queue.front()));
      queue.Pop();
      if (waiter == nullptr) return true;
      queue.Push(std::move(static_cast<Sending*>(waiter)->value()));
    } else {
      if (waiter == nullptr) return false;
      taken.emplace(std::move(static_cast<Sending*>(waiter)->value()));
    }
    senders.Wake(*waiter);
    return true;
  }

  // Ends every wait: for a value at the end, for room by refusing.
  void Close() {
    closed = true;
    while (Waiter* waiter = receivers.front()) receivers.Wake(*waiter);
    while (Waiter* waiter = senders.front()) {
      static_cast<Sending*>(waiter)->Refuse();
      senders.Wake(*waiter);
    }
  }

  FixedQueue<T> queue;
  List senders;
  List receivers;
  bool closed = false;
};

}  // namespace proactor::internal

#endif  // PROACTOR_SYNC_EXCHANGE_H_
