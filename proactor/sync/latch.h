// SPDX-License-Identifier: Apache-2.0
//
// Latch: waits until something has happened a number of times.
//
//   Latch ready(workers);
//   ready.CountDown();                // By each worker, when it is.
//   co_await Try(ready.Wait());       // Goes on when all are.
//
// It opens once and stays open. What is to happen again and again is for a Barrier (barrier.h); to wait for the end of
// tasks, put them in a group (task_group.h).
//
// Result: OK. Cancelled: `kCancelled`; the count stays as it is. Threads: those of one scheduler. Must outlive those
// who wait for it.
#ifndef PROACTOR_SYNC_LATCH_H_
#define PROACTOR_SYNC_LATCH_H_

#include <cstdint>
#include <source_location>
#include <string>

#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

class Latch {
 public:
  explicit Latch(int64_t count) : count_(count) { Check(count >= 0, "The count of a Latch begins below zero."); }

  // Below zero it cannot go; that ends the process with a sentence.
  void CountDown(int64_t times = 1, std::source_location where = std::source_location::current()) {
    if (times < 0 || times > count_) [[unlikely]] {
      BelowZero(times, where);
    }
    count_ -= times;
    if (count_ == 0) waiters_.WakeAll();
  }

  // How many times are left; zero when it is open.
  int64_t count() const { return count_; }

  // Waits until it is open.
  auto Wait();

 private:
  class PendingWait;
  struct WaitAwaitable;

  [[noreturn]] void BelowZero(int64_t times, std::source_location where) const;

  WaiterList waiters_;
  int64_t count_;
};

class Latch::PendingWait : public Waiter {
 public:
  PendingWait(PromiseBase& promise, const Context& context, Latch& latch) : Waiter(promise, context), latch_(latch) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    return latch_.count_ == 0 ? Settle(kGranted) : WaitIn(latch_.waiters_);
  }
  std::string Describe() const final;

 private:
  Latch& latch_;
};

struct [[nodiscard]] Latch::WaitAwaitable {
  Latch& latch;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingWait, kTry>(promise, context, latch);
  }
};

inline auto Latch::Wait() { return WaitAwaitable{*this}; }

}  // namespace proactor

#endif  // PROACTOR_SYNC_LATCH_H_
