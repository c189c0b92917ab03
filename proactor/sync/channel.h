// SPDX-License-Identifier: Apache-2.0
//
// Channel<T>: values on their way from some coroutines to others.
//
//   Channel<Job> jobs(16);                                     // Room for 16; with 0, sender and receiver meet.
//
//   co_await Try(jobs.Send(std::move(job)));                   // Waits for room. By one or several.
//   jobs.Close();                                              // No more to come.
//
//   while (std::optional<Job> job = co_await Try(jobs.Receive())) co_await Try(job->Run());
//
//  - First come, first served, for senders and for receivers: a value goes to who has waited longest, and nobody who
//    comes later overtakes. A value is handed over from frame to frame; only what nobody waits for is queued.
//  - A sent value is received, by one, once; or destroyed with the channel.
//  - `Send` refers to its value, and moves it out of there only when it succeeds: whoever fails still has it. So the
//    value lives until the send has ended, as a temporary in the same expression does. Of a type for which a copy is as
//    good as a move, such as an int, an lvalue will do.
//  - After `Close` every send fails, also those that wait; what is queued is received, and after it the end.
//  - T is any type that can be moved. The memory is allocated once, by the constructor.
//
// Result: `Send` yields an absl::Status: `kFailedPrecondition` if the channel is closed. `Receive` yields an
//   `absl::StatusOr<std::optional<T>>`: no value at the end.
// Cancelled: `kCancelled`; nothing has been sent, nothing has been taken. A value that has been handed over is
//   delivered: a send that came through says so, though its scope was cancelled meanwhile.
// Threads: those of one scheduler; between several, SharedChannel. Must outlive those who wait for it.
#ifndef PROACTOR_SYNC_CHANNEL_H_
#define PROACTOR_SYNC_CHANNEL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/promise.h"
#include "proactor/sync/fixed_queue.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

template <class T>
class Channel {
 public:
  // How many values it holds that nobody has received. With 0, a send lasts until a receiver has the value.
  explicit Channel(size_t capacity) : queue_(capacity) {}

  auto Send(T&& value ABSL_ATTRIBUTE_LIFETIME_BOUND) { return SendAwaitable{*this, value}; }
  auto Send(const T& value ABSL_ATTRIBUTE_LIFETIME_BOUND) requires std::is_trivially_copyable_v<T> {
    return SendAwaitable{*this, const_cast<T&>(value)};  // Moving out of it is copying it.
  }
  auto Receive() { return ReceiveAwaitable{*this}; }

  // The same without waiting, and without asking whether the scope is cancelled. Not sent: it is full, or closed.
  bool TrySend(T&& value) { return !closed_ && Put(value, nullptr); }
  bool TrySend(const T& value) requires std::is_trivially_copyable_v<T> {
    return TrySend(std::move(const_cast<T&>(value)));
  }
  // Nothing to take: it is empty, or has ended.
  std::optional<T> TryReceive() {
    std::optional<T> value;
    TakeInto(value, nullptr);
    return value;
  }

  // By either side. Again does nothing.
  void Close();

  bool closed() const { return closed_; }
  // How many values are queued.
  size_t size() const { return queue_.size(); }
  size_t capacity() const { return queue_.capacity(); }

 private:
  class PendingSend;
  class PendingReceive;

  struct [[nodiscard]] SendAwaitable {
    Channel& channel;
    T& value;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingSend, kTry>(promise, context, *this);
    }
  };
  struct [[nodiscard]] ReceiveAwaitable {
    Channel& channel;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingReceive, kTry>(promise, context, *this);
    }
  };

  // Moves `value` to a receiver or into the queue, if one or the other is there.
  bool Put(T& value, const PromiseBase* sender);
  // Moves the oldest value into `taken`, if there is one, and that of a sender who waits into the room it leaves.
  bool TakeInto(std::optional<T>& taken, const PromiseBase* receiver);

  internal::FixedQueue<T> queue_;
  // Receivers wait only while nothing is queued, senders only while there is no room.
  WaiterList senders_;
  WaiterList receivers_;
  bool closed_ = false;
};

template <class T>
class Channel<T>::PendingSend : public Waiter {
 public:
  PendingSend(PromiseBase& promise, const Context& context, const SendAwaitable& send)
      : Waiter(promise, context), channel_(send.channel), value_(send.value) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    refused_ = channel_.closed_;
    return refused_ || channel_.Put(value_, &promise_) ? Settle(kGranted) : WaitIn(channel_.senders_);
  }
  bool Failed() const { return refused_ || Waiter::Failed(); }
  absl::Status TakeFailure() const {
    return refused_ ? absl::FailedPreconditionError("send: the channel is closed") : Waiter::TakeFailure();
  }
  absl::Status TakeResult() const { return Failed() ? TakeFailure() : absl::OkStatus(); }
  std::string Describe() const final { return "room in a channel"; }

 private:
  friend Channel;
  Channel& channel_;
  T& value_;
  bool refused_ = false;
};

template <class T>
class Channel<T>::PendingReceive : public Waiter {
 public:
  PendingReceive(PromiseBase& promise, const Context& context, const ReceiveAwaitable& receive)
      : Waiter(promise, context), channel_(receive.channel) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    return channel_.TakeInto(value_, &promise_) || channel_.closed_ ? Settle(kGranted) : WaitIn(channel_.receivers_);
  }
  absl::StatusOr<std::optional<T>> TakeResult() {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
  std::optional<T> TakeValue() { return std::move(value_); }
  std::string Describe() const final { return "a value from a channel"; }

 private:
  friend Channel;
  Channel& channel_;
  std::optional<T> value_;  // None if it is woken at the end.
};

template <class T>
bool Channel<T>::Put(T& value, const PromiseBase* sender) {
  if (Waiter* waiter = receivers_.FrontExcept(sender)) {
    static_cast<PendingReceive*>(waiter)->value_.emplace(std::move(value));
    receivers_.Wake(*waiter);
    return true;
  }
  if (queue_.full()) return false;
  queue_.Push(std::move(value));
  return true;
}

template <class T>
bool Channel<T>::TakeInto(std::optional<T>& taken, const PromiseBase* receiver) {
  Waiter* waiter = senders_.FrontExcept(receiver);
  if (!queue_.empty()) {
    taken.emplace(std::move(queue_.front()));
    queue_.Pop();
    if (waiter == nullptr) return true;
    queue_.Push(std::move(static_cast<PendingSend*>(waiter)->value_));
  } else {
    if (waiter == nullptr) return false;
    taken.emplace(std::move(static_cast<PendingSend*>(waiter)->value_));
  }
  senders_.Wake(*waiter);
  return true;
}

template <class T>
void Channel<T>::Close() {
  closed_ = true;
  receivers_.WakeAll();
  while (Waiter* waiter = senders_.front()) {
    static_cast<PendingSend*>(waiter)->refused_ = true;
    senders_.Wake(*waiter);
  }
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_CHANNEL_H_
