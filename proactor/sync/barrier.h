// SPDX-License-Identifier: Apache-2.0
//
// Barrier: a number of coroutines wait for each other, go on together, and may do so again.
//
//   Barrier round(players);
//   while (true) {
//     co_await Try(Move());
//     int place = co_await Try(round.Wait());                   // All have moved.
//     if (place == 0) ShowTheBoard();                           // One of them does this.
//   }
//
// Each gets its place in the order in which they came, from 0; the last one, who has the highest, goes on at once. Who
// waits again while others have not run yet is of the next round.
//
// Who is cancelled leaves: the others go on waiting until somebody else has come in its place, as in asyncio. If nobody
// will, cancel them too, which a task group does when one of its children fails. A coroutine is one party: to wait
// twice in one Select ends the process with a sentence.
//
// Result: the place. Cancelled: `kCancelled`, without having taken part. Threads: those of one scheduler. Must outlive
// those who wait for it.
#ifndef PROACTOR_SYNC_BARRIER_H_
#define PROACTOR_SYNC_BARRIER_H_

#include <string>

#include "absl/status/statusor.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

class Barrier {
 public:
  // For so many at a time.
  explicit Barrier(int parties) : parties_(parties) { Check(parties > 0, "A Barrier is for one party at least."); }

  // Waits until all have come.
  auto Wait();

  int parties() const { return parties_; }
  // How many wait.
  int waiting() const { return waiting_; }

 private:
  class PendingWait;
  struct WaitAwaitable;

  // All have come, `last` as the last: those who wait go on.
  void Open(const PromiseBase& last);

  WaiterList waiters_;
  const int parties_;
  int waiting_ = 0;
};

class Barrier::PendingWait : public Waiter {
 public:
  PendingWait(PromiseBase& promise, const Context& context, Barrier& barrier)
      : Waiter(promise, context), barrier_(barrier) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    if (barrier_.waiting_ + 1 < barrier_.parties_) {
      ++barrier_.waiting_;
      return WaitIn(barrier_.waiters_);
    }
    place_ = barrier_.waiting_;
    barrier_.Open(promise_);
    return Settle(kGranted);
  }
  int TakeValue() const { return place_; }
  absl::StatusOr<int> TakeResult() const {
    if (Failed()) return TakeFailure();
    return place_;
  }
  std::string Describe() const final;

 private:
  friend class Barrier;

  void Withdrawn() final { --barrier_.waiting_; }

  Barrier& barrier_;
  int place_ = 0;
};

struct [[nodiscard]] Barrier::WaitAwaitable {
  Barrier& barrier;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingWait, kTry>(promise, context, barrier);
  }
};

inline auto Barrier::Wait() { return WaitAwaitable{*this}; }

}  // namespace proactor

#endif  // PROACTOR_SYNC_BARRIER_H_
