// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/rw_lock.h"

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

void RwLock::Admit() {
  while (Waiter* first = waiters_.front()) {
    const Contender& contender = *static_cast<Contender*>(first);
    if (!Admits(contender.access_)) break;
    Take(contender.access_, contender.where_);
    waiters_.Wake(*first);
  }
}

void RwLock::DestroyedLocked() const {
  CheckFailed(absl::StrCat("A RwLock was destroyed that ", DescribeCoroutine(holder_), " has locked to ",
                           writing_ ? "write" : "read", ": it must outlive its guards, and those who wait for it."));
}

void RwLock::NothingToUnlock(std::source_location where) {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(where),
                           " unlocks a guard of a RwLock that holds nothing: it was unlocked before, or moved from."));
}

std::string RwLock::Contender::Describe() const {
  std::string lock = access_ == RwAccess::kRead ? "a lock to read" : "a lock to write";
  if (lock_.holders_ == 0) return lock;
  std::string holder = DescribeCoroutine(lock_.holder_);
  if (lock_.writing_) return absl::StrCat(lock, " that ", holder, " has locked to write");
  return absl::StrCat(lock, " that is locked to read ", lock_.holders_, " times, the last time by ", holder);
}

}  // namespace proactor
