// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/semaphore.h"

#include "absl/strings/str_cat.h"

namespace proactor {

void Semaphore::Grant() {
  while (Waiter* first = waiters_.front()) {
    int64_t count = static_cast<PendingAcquire*>(first)->count();
    if (count > available_) break;
    Take(count);
    waiters_.Wake(*first);
  }
}

void Semaphore::DestroyedWithPermits() const {
  CheckFailed(absl::StrCat("A Semaphore was destroyed while ", held_,
                           " of its permits are held: it must outlive its Permits, and those who wait for them."));
}

void Permit::NothingToRelease(std::source_location where) {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(where),
                           " gives back a Permit that holds nothing: it was given back or kept before, or moved "
                           "from."));
}

std::string Semaphore::PendingAcquire::Describe() const {
  return absl::StrCat(count_, " of a semaphore's permits, of which ", semaphore_.available_, " are left");
}

}  // namespace proactor
