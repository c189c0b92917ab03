// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/waiter_list.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

absl::Status Waiter::TakeFailure() const { return context_.scope->Failure(Describe()); }

void Waiter::Cancel() {
  if (!linked()) return;  // It has been woken.
  Leave(kCancelled);
  Schedule();
  Withdrawn();
}

// Nobody hears of it before all have left: who hears of one may hand on, to whoever is next in line, and that must not
// be another of them, as the whole has its outcome.
void Waiter::Withdraw(std::span<Waiter* const> parts) {
  for (Waiter* part : parts) part->Unlink();
  for (Waiter* part : parts) {
    if (std::exchange(part->waiting_, false)) part->Withdrawn();
  }
}

// The virtual parts are gone by now; the coroutine still knows where it was.
void Waiter::DestroyedWaiting() const {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(promise_),
                           " was destroyed while it waits for another coroutine: cancel its scope and await its end "
                           "instead."));
}

void WaiterList::WakeWhole(Waiter& part) {
  part.waiting_ = false;
  static_cast<Waiter*>(part.promise_.awaiting())->PartWoken(part);
}

void WaiterList::DestroyedWithWaiters() const {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(front()->promise_), " waits for ", front()->Describe(),
                           ", which was destroyed: it must outlive those who wait for it."));
}

void WaiterList::UsedByTwoSchedulers(const Waiter& waiter) {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(waiter.promise_), " waits for ", waiter.Describe(),
                           ", for which coroutines of another scheduler wait: what schedulers share are the Shared "
                           "types."));
}

}  // namespace proactor
