// SPDX-License-Identifier: Apache-2.0
//
// Event: something that has happened, or not yet; coroutines wait until it has.
//
//   Event ready;
//   co_await Try(ready.Wait());      // goes on at once if it is set
//   ready.Set();                     // all who wait go on, in the order in which they came
//
// It stays set until `Reset`, which concerns later waits only: who waited when it was set goes on in any case.
//
// Result: OK. Cancelled: `kCancelled`. Threads: those of one scheduler. Must outlive those who wait for it.
#ifndef PROACTOR_SYNC_EVENT_H_
#define PROACTOR_SYNC_EVENT_H_

#include <string>

#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

class Event {
 public:
  void Set() {
    set_ = true;
    waiters_.WakeAll();
  }
  void Reset() { set_ = false; }
  bool is_set() const { return set_; }

  // Waits until it is set.
  auto Wait();

 private:
  class PendingWait;
  struct WaitAwaitable;

  WaiterList waiters_;
  bool set_ = false;
};

class Event::PendingWait : public Waiter {
 public:
  PendingWait(PromiseBase& promise, const Context& context, Event& event) : Waiter(promise, context), event_(event) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    return event_.set_ ? Settle(kGranted) : WaitIn(event_.waiters_);
  }
  std::string Describe() const final { return "an event"; }

 private:
  Event& event_;
};

struct [[nodiscard]] Event::WaitAwaitable {
  Event& event;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingWait, kTry>(promise, context, event);
  }
};

inline auto Event::Wait() { return WaitAwaitable{*this}; }

}  // namespace proactor

#endif  // PROACTOR_SYNC_EVENT_H_
