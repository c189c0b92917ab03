// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/latch.h"

#include "absl/strings/str_cat.h"

namespace proactor {

void Latch::BelowZero(int64_t times, std::source_location where) const {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(where), " counts a Latch down by ", times, ", of which ",
                           count_, " are left: it counts from its beginning to zero, once."));
}

std::string Latch::PendingWait::Describe() const { return absl::StrCat("a latch with ", latch_.count_, " to go"); }

}  // namespace proactor
