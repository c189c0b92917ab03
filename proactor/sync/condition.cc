// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/condition.h"

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

void Condition::NotifyOne() {
  if (!waiters_.empty()) static_cast<PendingWait*>(waiters_.front())->Notify();
}

void Condition::NotifyAll() {
  while (!waiters_.empty()) NotifyOne();
}

Mutex& Condition::MutexOf(const MutexLock& lock, std::source_location where) {
  Check(lock.mutex_ != nullptr, [&] {
    return absl::StrCat("The coroutine ", DescribeCoroutine(where),
                        " waits for a condition with a MutexLock that holds nothing: lock the mutex first.");
  });
  return *lock.mutex_;
}

void Condition::UsedWithTwoMutexes(const PendingWait& waiter) {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(waiter.where()),
                           " waits for a condition with another mutex than those who wait for it already."));
}

bool Condition::PendingWait::UnlockAndWait() {
  WaiterList& waiters = condition_.waiters_;
  if (!waiters.empty() && &static_cast<PendingWait*>(waiters.front())->mutex_ != &mutex_) UsedWithTwoMutexes(*this);
  WaitIn(waiters);
  mutex_.Unlock();
  return true;
}

void Condition::PendingWait::Cancel() {
  if (InList() && !locking_) LockAgain(kCancelled);
}

void Condition::PendingWait::LockAgain(Outcome outcome) {
  Leave(outcome);
  locking_ = true;
  if (mutex_.TakeIfFree(where_)) {
    Schedule();
  } else {
    WaitIn(mutex_.waiters_);
  }
}

std::string Condition::PendingWait::Describe() const { return locking_ ? Contender::Describe() : "a condition"; }

}  // namespace proactor
