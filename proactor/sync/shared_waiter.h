// SPDX-License-Identifier: Apache-2.0
//
// SharedWaiter: what waits for something that another thread may do: a coroutine of any scheduler, or a thread that has
// none. What WaiterList is to the coroutines of one scheduler, under everything here whose name begins with Shared.
//
//   struct Receiving : SharedWaiter { std::optional<T> value; };            // What a wait is given.
//   class PendingReceive : public SharedLeaf<Receiving> { bool Start(); };   // A coroutine's wait for it,
//   ThreadWait<Receiving> wait;                                              // and a thread's.
//
// Each shared object has a mutex, "the lock". The protocol:
//  1. Who waits enters a list, under the lock.
//  2. Who ends the wait takes it out of the list, gives it what it waits for, and notifies it (`Wake`): all of it under
//     the same lock. From then on a cancellation, or the end of a thread's patience, comes too late.
//  3. A thread is notified by its condition variable; a coroutine by a RemoteMessage to its loop, which takes the lock
//     when it is received: whoever sent it has let go of the lock by then, so is done with the loop, which may end.
//  4. A cancellation runs on the waiter's own thread, and takes the lock. If the waiter is in the list, it leaves, and
//     is ready. If not, its message is on its way, and is received, because a loop runs until its tasks have ended.
#ifndef PROACTOR_SYNC_SHARED_WAITER_H_
#define PROACTOR_SYNC_SHARED_WAITER_H_

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/time/time.h"
#include "proactor/context.h"
#include "proactor/intrusive_list.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/remote_message.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

// All of it, like the list, under the lock.
class SharedWaiter : private ListNode<SharedWaiter> {
 protected:
  ~SharedWaiter() = default;

  bool InSharedList() const { return linked(); }
  void LeaveSharedList() { Unlink(); }

 private:
  friend class SharedWaiterList;
  template <class, class>
  friend class IntrusiveList;

  virtual void Notify() = 0;
};

class SharedWaiterList {
 public:
  ~SharedWaiterList() {
    Check(waiters_.empty(),
          "Something shared was destroyed while a coroutine or a thread waits for it: it must outlive "
          "those who wait.");
  }

  bool empty() const { return waiters_.empty(); }
  // Who has waited longest; null if nobody does.
  SharedWaiter* front() const { return waiters_.front(); }
  SharedWaiter* FrontExcept(const PromiseBase*) const { return front(); }  // There is no select over shared things.
  void PushBack(SharedWaiter& waiter) { waiters_.PushBack(waiter); }

  // Ends the wait of somebody in this list, who has been given what it waits for.
  void Wake(SharedWaiter& waiter) {
    waiter.Unlink();
    waiter.Notify();
  }

 private:
  IntrusiveList<SharedWaiter> waiters_;
};

// The leaf of a coroutine that waits, less its `Start` and `Describe`, and so on as for Waiter.
template <class Wait>
class SharedLeaf : public Waiter, public Wait, private RemoteMessage {
 public:
  static constexpr bool kCanBePart = false;  // Two threads could wake two parts.

  void Cancel() final {
    {
      std::lock_guard lock(mutex_);
      if (!this->InSharedList()) return;
      this->LeaveSharedList();
    }
    Leave(kCancelled);
    Schedule();
  }

 protected:
  template <class... Arguments>
  SharedLeaf(PromiseBase& promise, const Context& context, std::mutex& mutex, Arguments&&... arguments)
      : Waiter(promise, context), Wait(std::forward<Arguments>(arguments)...), mutex_(mutex) {}

  // For `Start`, under the lock: somebody will wake it.
  bool WaitIn(SharedWaiterList& list) {
    list.PushBack(*this);
    return WaitOutside();
  }

 private:
  void Notify() final { Send(*context_.loop, *this); }
  void Receive() final {
    mutex_.lock();  // The sender has let go of it.
    mutex_.unlock();
    Schedule();
  }

  std::mutex& mutex_;
};

// The wait of a thread.
template <class Wait>
class ThreadWait final : public Wait {
 public:
  using Wait::Wait;

  // Waits in `list`. False if nobody ended it within `timeout`. `lock` is held before and after.
  bool WaitIn(SharedWaiterList& list, std::unique_lock<std::mutex>& lock, absl::Duration timeout) {
    list.PushBack(*this);
    // At most a year, because a condition variable's deadline is a moment, which must not overflow.
    wake_.wait_for(lock, absl::ToChronoNanoseconds(std::clamp(timeout, absl::ZeroDuration(), absl::Hours(24 * 365))),
                   [&] { return !this->InSharedList(); });
    bool woken = !this->InSharedList();
    this->LeaveSharedList();
    return woken;
  }

 private:
  void Notify() final { wake_.notify_one(); }

  std::condition_variable wake_;
};

}  // namespace proactor

#endif  // PROACTOR_SYNC_SHARED_WAITER_H_
