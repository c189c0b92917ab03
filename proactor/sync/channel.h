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
//    value lives until the send has ended, as a temporary in the same expression does; but name an aggregate before,
//    because GCC 12 destroys such a temporary twice (task.h). Of a type for which a copy is as good as a move, such as
//    an int, an lvalue will do.
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
#include "proactor/sync/exchange.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

template <class T>
class Channel {
 public:
  // How many values it holds that nobody has received. With 0, a send lasts until a receiver has the value.
  explicit Channel(size_t capacity) : exchange_(capacity) {}

  auto Send(T&& value ABSL_ATTRIBUTE_LIFETIME_BOUND) { return SendAwaitable{*this, value}; }
  auto Send(const T& value ABSL_ATTRIBUTE_LIFETIME_BOUND) requires std::is_trivially_copyable_v<T> {
    return SendAwaitable{*this, const_cast<T&>(value)};  // Moving out of it is copying it.
  }
  auto Receive() { return ReceiveAwaitable{*this}; }

  // The same without waiting, and without asking whether the scope is cancelled. Not sent: it is full, or closed.
  bool TrySend(T&& value) { return !exchange_.closed && exchange_.Send(value, nullptr); }
  bool TrySend(const T& value) requires std::is_trivially_copyable_v<T> {
    return TrySend(std::move(const_cast<T&>(value)));
  }
  // Nothing to take: it is empty, or has ended.
  std::optional<T> TryReceive() {
    std::optional<T> value;
    exchange_.Receive(value, nullptr);
    return value;
  }

  // By either side. Again does nothing.
  void Close() { exchange_.Close(); }

  bool closed() const { return exchange_.closed; }
  // How many values are queued.
  size_t size() const { return exchange_.queue.size(); }
  size_t capacity() const { return exchange_.queue.capacity(); }

 private:
  using Exchange = internal::Exchange<T, Waiter, WaiterList>;
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

  Exchange exchange_;
};

template <class T>
class Channel<T>::PendingSend : public internal::SendingLeaf<typename Exchange::Sending> {
 public:
  PendingSend(PromiseBase& promise, const Context& context, const SendAwaitable& send)
      : PendingSend::SendingLeaf(send.value, promise, context), exchange_(send.channel.exchange_) {}

  bool Start() {
    if (this->ScopeCancelled()) return this->Settle(Waiter::kCancelled);
    if (exchange_.closed) this->Refuse();
    bool over = exchange_.closed || exchange_.Send(this->value(), &this->promise_);
    return over ? this->Settle(Waiter::kGranted) : this->WaitIn(exchange_.senders);
  }
  std::string Describe() const final { return "room in a channel"; }

 private:
  Exchange& exchange_;
};

template <class T>
class Channel<T>::PendingReceive : public internal::ReceivingLeaf<T, typename Exchange::Receiving> {
 public:
  PendingReceive(PromiseBase& promise, const Context& context, const ReceiveAwaitable& receive)
      : PendingReceive::ReceivingLeaf(promise, context), exchange_(receive.channel.exchange_) {}

  bool Start() {
    if (this->ScopeCancelled()) return this->Settle(Waiter::kCancelled);
    bool over = exchange_.Receive(this->value(), &this->promise_) || exchange_.closed;
    return over ? this->Settle(Waiter::kGranted) : this->WaitIn(exchange_.receivers);
  }
  std::string Describe() const final { return "a value from a channel"; }

 private:
  Exchange& exchange_;
};

}  // namespace proactor

#endif  // PROACTOR_SYNC_CHANNEL_H_
