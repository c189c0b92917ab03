// SPDX-License-Identifier: Apache-2.0
//
// Broadcast<T>: each value to every receiver.
//
//   Broadcast<Event> events(64);                                            // Keeps the latest 64.
//   events.Send(event);                                                     // Never waits.
//
//   Broadcast<Event>::Receiver receiver(events);                            // From here on.
//   while (std::optional<Event> event = co_await Try(receiver.Receive())) Handle(*event);
//
//  - Every receiver gets every value that is sent while it is there, in order.
//  - Nobody waits for a slow receiver. One that is behind by more than the capacity has missed the oldest: its next
//    `Receive` fails, once, with `kDataLoss` and their number, and the one after it yields the oldest that is kept.
//    Where nothing may be missed and the sender is to wait instead, give each receiver a Channel.
//  - After `Close` a receiver gets what it has not got, and then the end.
//  - T can be copied; each receiver gets its own. For a large one, let T be a std::shared_ptr<const Large>.
//
// Result: `Receive` yields an `absl::StatusOr<std::optional<T>>`: no value at the end.
// Cancelled: `kCancelled`; nothing has been taken. A value that has been handed over is delivered.
// Threads: those of one scheduler. Must outlive its receivers.
#ifndef PROACTOR_SYNC_BROADCAST_H_
#define PROACTOR_SYNC_BROADCAST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/sync/fixed_queue.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

template <class T>
class Broadcast {
 public:
  class Receiver;

  // How many values it keeps for those who are behind: at least one.
  explicit Broadcast(size_t capacity) : kept_(capacity) {
    Check(capacity > 0, "A Broadcast keeps at least one value: give it a capacity.");
  }
  ~Broadcast() { Check(receivers_ == 0, "A Broadcast was destroyed before its receivers."); }

  // False: it is closed.
  bool Send(T value);
  void Close() {
    closed_ = true;
    waiters_.WakeAll();
  }
  bool closed() const { return closed_; }
  int receivers() const { return receivers_; }

 private:
  class PendingReceive;
  struct [[nodiscard]] ReceiveAwaitable {
    Receiver& receiver;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingReceive, kTry>(promise, context, receiver);
    }
  };

  uint64_t end() const { return first_ + kept_.size(); }

  internal::FixedQueue<T> kept_;
  uint64_t first_ = 0;  // How many were sent before the oldest that is kept.
  int receivers_ = 0;
  bool closed_ = false;
  WaiterList waiters_;  // Receivers that have got everything.
};

// One who receives, as one coroutine at a time.
template <class T>
class Broadcast<T>::Receiver {
 public:
  explicit Receiver(Broadcast& broadcast) : broadcast_(broadcast), next_(broadcast.end()) { ++broadcast_.receivers_; }
  ~Receiver() { --broadcast_.receivers_; }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // Waits for the next value.
  auto Receive() { return ReceiveAwaitable{*this}; }

  // How many values are there for it, or were missed.
  uint64_t behind() const { return broadcast_.end() - next_; }

 private:
  friend class Broadcast;
  Broadcast& broadcast_;
  uint64_t next_;  // How many were sent before the next that it gets.
};

template <class T>
class Broadcast<T>::PendingReceive : public Waiter {
 public:
  PendingReceive(PromiseBase& promise, const Context& context, Receiver& receiver)
      : Waiter(promise, context), receiver_(receiver) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    Broadcast& broadcast = receiver_.broadcast_;
    if (receiver_.next_ < broadcast.first_) {
      missed_ = broadcast.first_ - std::exchange(receiver_.next_, broadcast.first_);
      return Settle(kGranted);
    }
    if (receiver_.next_ == broadcast.end()) return broadcast.closed_ ? Settle(kGranted) : WaitIn(broadcast.waiters_);
    Take(broadcast.kept_[static_cast<size_t>(receiver_.next_ - broadcast.first_)]);
    return Settle(kGranted);
  }
  void Take(const T& value) {
    value_.emplace(value);
    ++receiver_.next_;
  }
  // The value that is being sent.
  void TakeNext(const T& value) {
    Check(receiver_.next_ == receiver_.broadcast_.end(), [&] {
      return absl::StrCat("The coroutine ", DescribeCoroutine(this->promise_),
                          " receives by a Broadcast::Receiver that another one waits for: make one for each.");
    });
    Take(value);
  }
  bool Failed() const { return missed_ > 0 || Waiter::Failed(); }
  absl::Status TakeFailure() const {
    if (missed_ == 0) return Waiter::TakeFailure();
    return absl::DataLossError(absl::StrCat("receive: ", missed_, " values of the broadcast were missed"));
  }
  std::optional<T> TakeValue() { return std::move(value_); }
  absl::StatusOr<std::optional<T>> TakeResult() {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
  std::string Describe() const final { return "a value from a broadcast"; }

 private:
  Receiver& receiver_;
  uint64_t missed_ = 0;
  std::optional<T> value_;  // None if it is woken at the end.
};

template <class T>
bool Broadcast<T>::Send(T value) {
  if (closed_) return false;
  // Who waits has got everything, so this one is next.
  while (Waiter* waiter = waiters_.front()) {
    static_cast<PendingReceive*>(waiter)->TakeNext(value);
    waiters_.Wake(*waiter);
  }
  if (kept_.full()) {
    kept_.Pop();
    ++first_;
  }
  kept_.Push(std::move(value));
  return true;
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_BROADCAST_H_
