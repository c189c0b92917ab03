// SPDX-License-Identifier: Apache-2.0
//
// SharedChannel<T>: a Channel between threads: those of several schedulers, and those that have none.
//
//   SharedChannel<Job> jobs(64);
//   co_await Try(jobs.Send(std::move(job)));                                // A coroutine, on any scheduler.
//   absl::Status status = jobs.SendBlocking(std::move(job));                // A thread without a scheduler.
//
//   while (std::optional<Job> job = co_await Try(jobs.Receive())) ...       // On as many schedulers as you like.
//
// All that channel.h says holds here too: first come, first served, coroutines and threads in one line; values are
// handed over directly, arrive once, and stay with a sender who fails; `Close` ends both sides. Except that there is no
// select. Among coroutines of one scheduler, Channel does the same for a tenth of the cost.
//
// Result: as of Channel. The functions for threads yield `kDeadlineExceeded` when their time is over; they then have
//   sent or taken nothing.
// Cancelled: `kCancelled`; nothing has been sent, nothing has been taken. A value that another thread has handed over
//   is delivered, though it arrives after the cancellation.
// Threads: any. A scheduler may end while others send and receive. The channel itself must outlive all calls.
#ifndef PROACTOR_SYNC_SHARED_CHANNEL_H_
#define PROACTOR_SYNC_SHARED_CHANNEL_H_

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/promise.h"
#include "proactor/sync/exchange.h"
#include "proactor/sync/shared_waiter.h"

namespace proactor {

template <class T>
class SharedChannel {
 public:
  // How many values it holds that nobody has received. With 0, a send lasts until a receiver has the value.
  explicit SharedChannel(size_t capacity) : exchange_(capacity) {}

  auto Send(T&& value ABSL_ATTRIBUTE_LIFETIME_BOUND) { return SendAwaitable{*this, value}; }
  auto Send(const T& value ABSL_ATTRIBUTE_LIFETIME_BOUND) requires std::is_trivially_copyable_v<T> {
    return SendAwaitable{*this, const_cast<T&>(value)};  // Moving out of it is copying it.
  }
  auto Receive() { return ReceiveAwaitable{*this}; }

  // Without waiting, except for the lock. Not sent: it is full, or closed. Nothing to take: it is empty, or has ended.
  bool TrySend(T&& value) {
    std::lock_guard lock(mutex_);
    return !exchange_.closed && exchange_.Send(value, nullptr);
  }
  bool TrySend(const T& value) requires std::is_trivially_copyable_v<T> {
    return TrySend(std::move(const_cast<T&>(value)));
  }
  std::optional<T> TryReceive() {
    std::lock_guard lock(mutex_);
    std::optional<T> value;
    exchange_.Receive(value, nullptr);
    return value;
  }

  // Blocks the thread. Not for a scheduler's own: all its coroutines would stand still.
  absl::Status SendBlocking(T&& value, absl::Duration timeout = absl::InfiniteDuration());
  absl::StatusOr<std::optional<T>> ReceiveBlocking(absl::Duration timeout = absl::InfiniteDuration());

  // Again does nothing.
  void Close() {
    std::lock_guard lock(mutex_);
    exchange_.Close();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return exchange_.closed;
  }
  // How many values are queued, a moment ago.
  size_t size() const {
    std::lock_guard lock(mutex_);
    return exchange_.queue.size();
  }
  size_t capacity() const { return exchange_.queue.capacity(); }

 private:
  using Exchange = internal::Exchange<T, SharedWaiter, SharedWaiterList>;
  class PendingSend;
  class PendingReceive;

  struct [[nodiscard]] SendAwaitable {
    SharedChannel& channel;
    T& value;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingSend, kTry>(promise, context, *this);
    }
  };
  struct [[nodiscard]] ReceiveAwaitable {
    SharedChannel& channel;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingReceive, kTry>(promise, context, *this);
    }
  };

  mutable std::mutex mutex_;
  Exchange exchange_;
};

template <class T>
class SharedChannel<T>::PendingSend : public internal::SendingLeaf<SharedLeaf<typename Exchange::Sending>> {
 public:
  PendingSend(PromiseBase& promise, const Context& context, const SendAwaitable& send)
      : PendingSend::SendingLeaf(promise, context, send.channel.mutex_, send.value), channel_(send.channel) {}

  bool Start() {
    if (this->ScopeCancelled()) return this->Settle(Waiter::kCancelled);
    {
      std::lock_guard lock(channel_.mutex_);
      Exchange& exchange = channel_.exchange_;
      if (exchange.closed) this->Refuse();
      if (!exchange.closed && !exchange.Send(this->value(), nullptr)) return this->WaitIn(exchange.senders);
    }
    return this->Settle(Waiter::kGranted);
  }
  std::string Describe() const final { return "room in a shared channel"; }

 private:
  SharedChannel& channel_;
};

template <class T>
class SharedChannel<T>::PendingReceive : public internal::ReceivingLeaf<T, SharedLeaf<typename Exchange::Receiving>> {
 public:
  PendingReceive(PromiseBase& promise, const Context& context, const ReceiveAwaitable& receive)
      : PendingReceive::ReceivingLeaf(promise, context, receive.channel.mutex_), channel_(receive.channel) {}

  bool Start() {
    if (this->ScopeCancelled()) return this->Settle(Waiter::kCancelled);
    {
      std::lock_guard lock(channel_.mutex_);
      Exchange& exchange = channel_.exchange_;
      if (!exchange.Receive(this->value(), nullptr) && !exchange.closed) return this->WaitIn(exchange.receivers);
    }
    return this->Settle(Waiter::kGranted);
  }
  std::string Describe() const final { return "a value from a shared channel"; }

 private:
  SharedChannel& channel_;
};

template <class T>
absl::Status SharedChannel<T>::SendBlocking(T&& value, absl::Duration timeout) {
  std::unique_lock lock(mutex_);
  ThreadWait<typename Exchange::Sending> wait(value);
  if (exchange_.closed) return internal::ChannelClosed();
  if (exchange_.Send(value, nullptr)) return absl::OkStatus();
  if (!wait.WaitIn(exchange_.senders, lock, timeout)) return absl::DeadlineExceededError("send: no room in time");
  return wait.refused() ? internal::ChannelClosed() : absl::OkStatus();
}

template <class T>
absl::StatusOr<std::optional<T>> SharedChannel<T>::ReceiveBlocking(absl::Duration timeout) {
  std::unique_lock lock(mutex_);
  ThreadWait<typename Exchange::Receiving> wait;
  if (!exchange_.Receive(wait.value(), nullptr) && !exchange_.closed &&
      !wait.WaitIn(exchange_.receivers, lock, timeout)) {
    return absl::DeadlineExceededError("receive: no value in time");
  }
  return std::move(wait.value());
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_SHARED_CHANNEL_H_
