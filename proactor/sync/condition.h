// SPDX-License-Identifier: Apache-2.0
//
// Condition: waits, with a Mutex unlocked meanwhile, until another coroutine says that something has changed.
//
//   MutexLock lock = co_await Try(mutex.Lock());
//   co_await Try(changed.Wait(lock, [&] { return !jobs.empty(); }));   // Here jobs are there, and the mutex is locked.
//
//   jobs.push_back(job);                                               // By somebody who has locked the mutex.
//   changed.NotifyOne();
//
// Where one coroutine waits for one fact, an Event (event.h) is simpler, and no mutex is needed for what changes
// between two `co_await`s.
//
//  - With a predicate, which is called with the mutex locked, the wait goes on until that holds. Without one, it ends
//    with a notification, and by the time the mutex is locked again, others may have changed everything back.
//  - A notification is for who has waited longest, and for somebody who waits already: one that nobody waits for is
//    gone. Who is notified stands in line for the mutex from that moment, without running.
//  - The mutex is locked again when the wait ends, however it ends. So a cancelled one lasts until then.
//  - Who is cancelled has not been notified, and who has been notified is not cancelled any more: no notification is
//    lost.
//
// Result: OK. Cancelled: `kCancelled`, with the mutex locked. Threads: those of one scheduler. All who wait at a time
// use the same mutex. Must outlive those who wait for it.
#ifndef PROACTOR_SYNC_CONDITION_H_
#define PROACTOR_SYNC_CONDITION_H_

#include <concepts>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include "proactor/promise.h"
#include "proactor/sync/mutex.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

class Condition {
 public:
  // Waits for a notification. `lock` holds the mutex, before and after.
  auto Wait(MutexLock& lock, std::source_location where = std::source_location::current());
  // Waits until `predicate()` holds; not at all if it does already.
  template <std::predicate Predicate>
  auto Wait(MutexLock& lock, Predicate&& predicate, std::source_location where = std::source_location::current());

  void NotifyOne();
  void NotifyAll();

 private:
  class PendingWait;
  template <class Predicate>
  class PendingWaitUntil;
  struct WaitAwaitable;
  template <class Predicate>
  struct WaitUntilAwaitable;

  static Mutex& MutexOf(const MutexLock& lock, std::source_location where);
  [[noreturn]] static void UsedWithTwoMutexes(const PendingWait& waiter);

  WaiterList waiters_;
};

class Condition::PendingWait : public Mutex::Contender {
 public:
  static constexpr bool kCanBePart = false;  // Of a Select: it cannot leave before it has the mutex again.

  PendingWait(PromiseBase& promise, const Context& context, Condition& condition, Mutex& mutex,
              std::source_location where)
      : Contender(promise, context, mutex, where), condition_(condition) {}

  bool Start() { return ScopeCancelled() ? Settle(kCancelled) : UnlockAndWait(); }
  bool StopWaiting() {
    locking_ = false;
    return Contender::StopWaiting();
  }
  void Cancel() final;
  std::string Describe() const final;

 protected:
  bool UnlockAndWait();

 private:
  friend class Condition;

  void Notify() { LockAgain(kGranted); }
  // Ends the wait for a notification. From here on no cancellation reaches it.
  void LockAgain(Outcome outcome);

  Condition& condition_;
  bool locking_ = false;  // The wait for the condition is over, that for the mutex is not.
};

template <class Predicate>
class Condition::PendingWaitUntil : public PendingWait {
 public:
  PendingWaitUntil(PromiseBase& promise, const Context& context, Condition& condition, Mutex& mutex,
                   std::source_location where, Predicate&& predicate)
      : PendingWait(promise, context, condition, mutex, where), predicate_(std::forward<Predicate>(predicate)) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    if (predicate_()) return Settle(kGranted);
    return PendingWait::Start();  // Looks at the scope again, which the predicate may have cancelled.
  }
  // Looks at the predicate without resuming the coroutine.
  bool StopWaiting() {
    PendingWait::StopWaiting();
    if (Failed() || predicate_()) return true;
    if (!ScopeCancelled()) return !UnlockAndWait();
    Leave(kCancelled);
    return true;
  }

 private:
  Predicate predicate_;
};

struct [[nodiscard]] Condition::WaitAwaitable {
  Condition& condition;
  Mutex& mutex;
  std::source_location where;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingWait, kTry>(promise, context, condition, mutex, where);
  }
};

template <class Predicate>
struct [[nodiscard]] Condition::WaitUntilAwaitable {
  static_assert(std::is_lvalue_reference_v<Predicate> || std::is_trivially_destructible_v<Predicate>,
                "Name the predicate before you pass it (auto ready = [...]; co_await condition.Wait(lock, ready)), or "
                "capture by reference: GCC 12 destroys such a temporary twice");
  Condition& condition;
  Mutex& mutex;
  std::source_location where;
  Predicate predicate;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingWaitUntil<Predicate>, kTry>(promise, context, condition, mutex, where,
                                                                    std::forward<Predicate>(predicate));
  }
};

inline auto Condition::Wait(MutexLock& lock, std::source_location where) {
  return WaitAwaitable{*this, MutexOf(lock, where), where};
}

template <std::predicate Predicate>
auto Condition::Wait(MutexLock& lock, Predicate&& predicate, std::source_location where) {
  return WaitUntilAwaitable<Predicate>{*this, MutexOf(lock, where), where, std::forward<Predicate>(predicate)};
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_CONDITION_H_
