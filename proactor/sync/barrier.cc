// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/barrier.h"

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

void Barrier::Open(const PromiseBase& last) {
  for (int place = 0; Waiter* first = waiters_.front(); ++place) {
    Check(waiters_.FrontExcept(&last) == first, [&] {
      return absl::StrCat("The coroutine ", DescribeCoroutine(last), " waits at a barrier twice: it is one party.");
    });
    static_cast<PendingWait*>(first)->place_ = place;
    --waiting_;
    waiters_.Wake(*first);
  }
}

std::string Barrier::PendingWait::Describe() const {
  return absl::StrCat("a barrier where ", barrier_.waiting_, " of ", barrier_.parties_, " are");
}

}  // namespace proactor
