// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/waiter_list.h"

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

void Waiter::Withdraw() {
  if (!linked()) return;
  Unlink();
  waiting_ = false;
  Withdrawn();
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
