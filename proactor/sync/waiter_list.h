// SPDX-License-Identifier: Apache-2.0
//
// WaiterList: the coroutines that wait for something that another coroutine will do, first come, first served. The one
// wait queue under everything in this folder.
//
//   class Event::PendingWait : public Waiter {              // The leaf that `co_await event.Wait()` makes.
//     bool Start() {
//       if (ScopeCancelled()) return Settle(kCancelled);
//       return event_.is_set() ? Settle(kGranted) : WaitIn(event_.waiters_);
//     }
//   };
//   waiters_.WakeOne();                                      // By whoever makes it true.
//
//  - Waking hands over. Who wakes a waiter has given it what it waits for (a lock, a permit, a value): from then on it
//    is the waiter's, and a cancellation comes too late. So nothing that was handed over is lost, and nobody who comes
//    later can overtake.
//  - A waiter that is cancelled leaves the list at once; it takes nothing with it. `Withdrawn` tells the owner of the
//    list, for whom the next waiter may now be due.
//  - In a cancelled scope nothing is taken and nothing waits, like with every operation.
//  - Neither waking nor cancelling resumes anybody: both push to the ready queue, and cost O(1) without allocation.
//
// Threads: those who wait in one list run on one scheduler; a second one ends the process with a sentence.
#ifndef PROACTOR_SYNC_WAITER_LIST_H_
#define PROACTOR_SYNC_WAITER_LIST_H_

#include <span>

#include "absl/status/status.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/intrusive_list.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"

namespace proactor {

class WaiterList;

// One coroutine in a WaiterList: the leaf that a `LeafAwaiter` is made of, less its `Start` and `Describe`, and its
// `TakeResult` and `TakeValue` where success is more than OK.
class Waiter : public Suspension, private ListNode<Waiter> {
 public:
  bool Waiting() const { return waiting_; }
  bool StopWaiting() {
    waiting_ = false;
    return true;
  }
  bool Failed() const { return outcome_ != kGranted; }
  absl::Status TakeFailure() const;
  absl::Status TakeResult() const { return Failed() ? TakeFailure() : absl::OkStatus(); }
  void TakeValue() const {}

  // From here on it is one of several that its coroutine waits for at once. It never settles through the ready queue,
  // and when it is woken, what that coroutine awaits hears of it (`PartWoken`).
  static constexpr bool kCanBePart = true;  // Not who cannot leave at once.
  void BecomePart() { part_ = true; }
  // Takes all of them out of the lists that they are in: one was faster, or the whole was cancelled.
  static void Withdraw(std::span<Waiter* const> parts);
  bool InList() const { return linked(); }

  void Cancel() override;
  const CancelScope* scope() const final { return context_.scope; }

 protected:
  enum Outcome : char {
    kGranted,    // It has what it waited for.
    kCancelled,  // Its scope was cancelled first.
  };

  Waiter(PromiseBase& promise, const Context& context) : promise_(promise), context_(context) {}
  ~Waiter() {
    if (waiting_) [[unlikely]] {
      DestroyedWaiting();
    }
  }

  // For `Start`, which returns what these return:
  // The outcome is known at once. The coroutine goes on without a suspension, unless it has done so often enough.
  bool Settle(Outcome outcome) {
    outcome_ = outcome;
    if (context_.loop->ready_queue.TakeInlineCompletion() || part_) [[likely]] {
      return false;
    }
    Schedule();
    return true;
  }
  // Somebody will wake it.
  bool WaitIn(WaiterList& list);
  // The same without a list, until `Schedule`.
  bool WaitOutside() {
    waiting_ = true;
    return true;
  }

  // For who waits in several lists, one after the other:
  // Leaves the list that it is in; what comes next decides whether the wait is over.
  void Leave(Outcome outcome) {
    Unlink();
    outcome_ = outcome;
  }
  // The wait is over, with the outcome that was set.
  void Schedule() {
    waiting_ = true;
    context_.loop->ready_queue.Push(*this);
  }

  bool ScopeCancelled() const { return context_.scope->cancelled(); }

  // It has left the list, cancelled or withdrawn.
  virtual void Withdrawn() {}
  // It has the outcome of one of its parts.
  virtual void PartWoken(Waiter&) {}

  PromiseBase& promise_;
  const Context& context_;

 private:
  friend class WaiterList;
  template <class, class>
  friend class IntrusiveList;

  [[noreturn]] void DestroyedWaiting() const;

  bool waiting_ = false;  // From `Start` until it has been resumed.
  bool part_ = false;
  Outcome outcome_ = kGranted;
};

class WaiterList {
 public:
  WaiterList() = default;
  ~WaiterList() {
    if (!empty()) [[unlikely]] {
      DestroyedWithWaiters();
    }
  }

  bool empty() const { return waiters_.empty(); }
  // Who has waited longest; null if nobody does.
  Waiter* front() const { return waiters_.front(); }
  // The same, but for `coroutine` itself: who offers and asks at once does not meet itself. Null stands for nobody.
  Waiter* FrontExcept(const PromiseBase* coroutine) const {
    Waiter* waiter = front();
    while (waiter != nullptr && &waiter->promise_ == coroutine) waiter = waiters_.Next(*waiter);
    return waiter;
  }

  // Ends the wait of somebody in this list, who has been given what it waits for.
  void Wake(Waiter& waiter) {
    waiter.Unlink();
    if (waiter.part_) [[unlikely]] {
      return WakeWhole(waiter);
    }
    waiter.context_.loop->ready_queue.Push(waiter);
  }
  // The same for who has waited longest; false if nobody does.
  bool WakeOne() {
    if (empty()) return false;
    Wake(*front());
    return true;
  }
  // The same for all. Yields how many they were.
  int WakeAll() {
    int count = 0;
    while (WakeOne()) ++count;
    return count;
  }

 private:
  friend class Waiter;
  static void WakeWhole(Waiter& part);
  [[noreturn]] void DestroyedWithWaiters() const;
  [[noreturn]] static void UsedByTwoSchedulers(const Waiter& waiter);

  void PushBack(Waiter& waiter) {
    if (Waiter* first = front(); first != nullptr && first->context_.loop != waiter.context_.loop) [[unlikely]] {
      UsedByTwoSchedulers(waiter);
    }
    waiters_.PushBack(waiter);
  }

  IntrusiveList<Waiter> waiters_;
};

inline bool Waiter::WaitIn(WaiterList& list) {
  waiting_ = true;
  list.PushBack(*this);
  return true;
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_WAITER_LIST_H_
