// SPDX-License-Identifier: Apache-2.0
//
// RwLock: something that many may hold to read, or one to write.
//
//   ReadLock lock = co_await Try(table_lock.LockToRead());     // Together with other readers.
//   WriteLock lock = co_await Try(table_lock.LockToWrite());   // Alone.
//
// Worth it where readers wait for something while they hold it; else use a Mutex (mutex.h), or nothing.
//
//  - Fair: first come, first served. A reader who comes after a waiting writer waits too, so writers do not starve; all
//    readers between two writers are let in together.
//  - When a writer who waits is cancelled, the readers behind it who are due are let in.
//  - Who holds it to read and asks for it again waits for ever if a writer has come meanwhile; a dump of the tasks
//    shows it. There is no way from reading to writing without letting go.
//
// Result: the guard. Cancelled: `kCancelled`, without the lock. Threads: those of one scheduler. Must outlive its
// guards, and those who wait for it.
#ifndef PROACTOR_SYNC_RW_LOCK_H_
#define PROACTOR_SYNC_RW_LOCK_H_

#include <cstdint>
#include <source_location>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

enum class RwAccess : bool { kRead, kWrite };

template <RwAccess kAccess>
class RwLockGuard;
using ReadLock = RwLockGuard<RwAccess::kRead>;
using WriteLock = RwLockGuard<RwAccess::kWrite>;

class RwLock {
 public:
  RwLock() = default;
  ~RwLock() {
    if (holders_ != 0) [[unlikely]] {
      DestroyedLocked();
    }
  }

  auto LockToRead(std::source_location where = std::source_location::current());
  auto LockToWrite(std::source_location where = std::source_location::current());
  // An empty guard if that would have to wait.
  ReadLock TryLockToRead(std::source_location where = std::source_location::current());
  WriteLock TryLockToWrite(std::source_location where = std::source_location::current());

  int64_t readers() const { return writing_ ? 0 : holders_; }
  bool writing() const { return writing_; }

 private:
  template <RwAccess kAccess>
  friend class RwLockGuard;
  class Contender;
  template <RwAccess kAccess>
  class PendingLock;
  template <RwAccess kAccess>
  struct LockAwaitable;

  bool Admits(RwAccess access) const { return access == RwAccess::kRead ? !writing_ : holders_ == 0; }
  bool TakeIfFirst(RwAccess access, std::source_location where) {
    if (!waiters_.empty() || !Admits(access)) return false;
    Take(access, where);
    return true;
  }
  void Take(RwAccess access, std::source_location where) {
    ++holders_;
    writing_ = access == RwAccess::kWrite;
    holder_ = where;
  }
  void Unlock() {
    --holders_;
    writing_ = false;
    AdmitAllDue();
  }
  void AdmitAllDue() {
    if (!waiters_.empty()) [[unlikely]] {
      Admit();
    }
  }
  void Admit();
  [[noreturn]] void DestroyedLocked() const;
  [[noreturn]] static void NothingToUnlock(std::source_location where);

  WaiterList waiters_;
  int64_t holders_ = 0;
  std::source_location holder_;  // Where it was locked the last time.
  bool writing_ = false;
};

// The lock, which ends with it. Can be moved. Empty by default and after a move.
template <RwAccess kAccess>
class [[nodiscard]] RwLockGuard {
 public:
  RwLockGuard() = default;
  RwLockGuard(RwLockGuard&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  RwLockGuard& operator=(RwLockGuard&& other) noexcept {
    RwLockGuard taken(std::move(other));
    std::swap(lock_, taken.lock_);
    return *this;
  }
  ~RwLockGuard() {
    if (lock_ != nullptr) lock_->Unlock();
  }

  explicit operator bool() const { return lock_ != nullptr; }

  // Before its end. An empty guard has nothing to unlock, which ends the process with a sentence.
  void Unlock(std::source_location where = std::source_location::current()) {
    if (lock_ == nullptr) [[unlikely]] {
      RwLock::NothingToUnlock(where);
    }
    std::exchange(lock_, nullptr)->Unlock();
  }

 private:
  friend class RwLock;
  explicit RwLockGuard(RwLock& lock) : lock_(&lock) {}

  RwLock* lock_ = nullptr;
};

class RwLock::Contender : public Waiter {
 public:
  Contender(PromiseBase& promise, const Context& context, RwLock& lock, RwAccess access, std::source_location where)
      : Waiter(promise, context), lock_(lock), access_(access), where_(where) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    return lock_.TakeIfFirst(access_, where_) ? Settle(kGranted) : WaitIn(lock_.waiters_);
  }
  std::string Describe() const final;

 protected:
  RwLock& lock_;

 private:
  friend class RwLock;

  // A writer may have been the one whom readers waited for.
  void Withdrawn() final { lock_.AdmitAllDue(); }

  const RwAccess access_;
  const std::source_location where_;
};

template <RwAccess kAccess>
class RwLock::PendingLock : public Contender {
 public:
  PendingLock(PromiseBase& promise, const Context& context, RwLock& lock, std::source_location where)
      : Contender(promise, context, lock, kAccess, where) {}

  RwLockGuard<kAccess> TakeValue() const { return RwLockGuard<kAccess>(lock_); }
  absl::StatusOr<RwLockGuard<kAccess>> TakeResult() const {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
};

template <RwAccess kAccess>
struct [[nodiscard]] RwLock::LockAwaitable {
  RwLock& lock;
  std::source_location where;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingLock<kAccess>, kTry>(promise, context, lock, where);
  }
};

inline auto RwLock::LockToRead(std::source_location where) { return LockAwaitable<RwAccess::kRead>{*this, where}; }
inline auto RwLock::LockToWrite(std::source_location where) { return LockAwaitable<RwAccess::kWrite>{*this, where}; }

inline ReadLock RwLock::TryLockToRead(std::source_location where) {
  return TakeIfFirst(RwAccess::kRead, where) ? ReadLock(*this) : ReadLock();
}
inline WriteLock RwLock::TryLockToWrite(std::source_location where) {
  return TakeIfFirst(RwAccess::kWrite, where) ? WriteLock(*this) : WriteLock();
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_RW_LOCK_H_
