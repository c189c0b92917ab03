// SPDX-License-Identifier: Apache-2.0
//
// Mutex: something that one coroutine at a time may hold, for as long as it likes, across its waits.
//
//   MutexLock lock = co_await Try(mutex.Lock());
//   co_await Try(connection.WriteAll(header));       // Nobody else writes between these two.
//   co_await Try(connection.WriteAll(body));         // The end of the block unlocks, also if this fails.
//
// Coroutines of one scheduler take turns only where they wait: what is done between two `co_await`s needs no mutex.
//
//  - Fair: who unlocks gives the lock to who has waited longest. Nobody overtakes, not even `TryLock`.
//  - Who has the lock keeps it when it is cancelled, until its guard ends.
//  - Locking what one holds already waits for ever: `Lock` does not look at who asks, because guards can be handed on.
//    A dump of the tasks (and so a simulation, where it is a deadlock) shows who waits for a lock, and where it was
//    taken.
//
// Free, it is taken without suspending, at the cost of a few instructions; nothing here allocates.
//
// Result: the guard. Cancelled: `kCancelled`, without the lock. Threads: those of one scheduler. Must outlive its
// guards, and those who wait for it.
#ifndef PROACTOR_SYNC_MUTEX_H_
#define PROACTOR_SYNC_MUTEX_H_

#include <source_location>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

class MutexLock;

class Mutex {
 public:
  Mutex() = default;
  ~Mutex() {
    if (locked_) [[unlikely]] {
      DestroyedLocked();
    }
  }

  // Waits until the lock is ours, and yields its guard, a MutexLock.
  auto Lock(std::source_location where = std::source_location::current());
  // An empty guard if it is locked.
  MutexLock TryLock(std::source_location where = std::source_location::current());

  bool locked() const { return locked_; }

 private:
  friend class Condition;
  friend class MutexLock;
  class Contender;
  class PendingLock;
  struct LockAwaitable;

  bool TakeIfFree(std::source_location where) {
    if (locked_) return false;
    locked_ = true;
    holder_ = where;
    return true;
  }
  void Unlock() {
    if (waiters_.empty()) [[likely]] {
      locked_ = false;
    } else {
      HandOver();
    }
  }
  void HandOver();
  [[noreturn]] void DestroyedLocked() const;

  WaiterList waiters_;
  std::source_location holder_;  // Where it was locked.
  bool locked_ = false;
};

// The lock of a Mutex, which ends with it. Can be moved, also to another coroutine. Empty by default and after a move.
class [[nodiscard]] MutexLock {
 public:
  MutexLock() = default;
  MutexLock(MutexLock&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
  MutexLock& operator=(MutexLock&& other) noexcept {
    MutexLock taken(std::move(other));
    std::swap(mutex_, taken.mutex_);
    return *this;
  }
  ~MutexLock() {
    if (mutex_ != nullptr) mutex_->Unlock();
  }

  explicit operator bool() const { return mutex_ != nullptr; }

  // Before its end. An empty guard has nothing to unlock, which ends the process with a sentence.
  void Unlock(std::source_location where = std::source_location::current()) {
    if (mutex_ == nullptr) [[unlikely]] {
      NothingToUnlock(where);
    }
    std::exchange(mutex_, nullptr)->Unlock();
  }

 private:
  friend class Condition;
  friend class Mutex;
  explicit MutexLock(Mutex& mutex) : mutex_(&mutex) {}
  [[noreturn]] static void NothingToUnlock(std::source_location where);

  Mutex* mutex_ = nullptr;
};

// Who may stand in a mutex's list: to lock it, or to lock it again (condition.h).
class Mutex::Contender : public Waiter {
 public:
  std::source_location where() const { return where_; }
  std::string Describe() const override;

 protected:
  Contender(PromiseBase& promise, const Context& context, Mutex& mutex, std::source_location where)
      : Waiter(promise, context), mutex_(mutex), where_(where) {}

  Mutex& mutex_;
  const std::source_location where_;
};

class Mutex::PendingLock : public Contender {
 public:
  PendingLock(PromiseBase& promise, const Context& context, Mutex& mutex, std::source_location where)
      : Contender(promise, context, mutex, where) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    return mutex_.TakeIfFree(where_) ? Settle(kGranted) : WaitIn(mutex_.waiters_);
  }
  MutexLock TakeValue() const { return MutexLock(mutex_); }
  absl::StatusOr<MutexLock> TakeResult() const {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
};

struct [[nodiscard]] Mutex::LockAwaitable {
  Mutex& mutex;
  std::source_location where;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingLock, kTry>(promise, context, mutex, where);
  }
};

inline auto Mutex::Lock(std::source_location where) { return LockAwaitable{*this, where}; }

inline MutexLock Mutex::TryLock(std::source_location where) {
  return TakeIfFree(where) ? MutexLock(*this) : MutexLock();
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_MUTEX_H_
