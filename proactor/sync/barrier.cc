// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/barrier.h"

#include "absl/strings/str_cat.h"

namespace proactor {

void Barrier::Open() {
  for (int place = 0; Waiter* first = waiters_.front(); ++place) {
    static_cast<PendingWait*>(first)->place_ = place;
    --waiting_;
    waiters_.Wake(*first);
  }
}

std::string Barrier::PendingWait::Describe() const {
  return absl::StrCat("a barrier where ", barrier_.waiting_, " of ", barrier_.parties_, " are");
}

}  // namespace proactor
