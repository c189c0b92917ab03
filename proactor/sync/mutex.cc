// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/mutex.h"

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

void Mutex::HandOver() {
  auto& next = static_cast<Contender&>(*waiters_.front());
  holder_ = next.where();
  waiters_.Wake(next);
}

void Mutex::DestroyedLocked() const {
  CheckFailed(absl::StrCat("A Mutex was destroyed that ", DescribeCoroutine(holder_),
                           " has locked: it must outlive its guards, and those who wait for it."));
}

std::string Mutex::Contender::Describe() const {
  return absl::StrCat("a mutex that ", DescribeCoroutine(mutex_.holder_), " has locked");
}

void MutexLock::NothingToUnlock(std::source_location where) {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(where),
                           " unlocks a MutexLock that holds nothing: it was unlocked before, or moved from."));
}

}  // namespace proactor
