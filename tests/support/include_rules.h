// SPDX-License-Identifier: Apache-2.0
//
// Who may know whom: the table of the library's parts, and the rules about includes that it gives.
//
//   IncludesGoDownward({"proactor/task.h", "#include \"proactor/scheduler.h\"\n"}) ==
//       {"proactor/task.h:1: language may not include scheduler (proactor/scheduler.h); ..."}
#ifndef PROACTOR_TESTS_SUPPORT_INCLUDE_RULES_H_
#define PROACTOR_TESTS_SUPPORT_INCLUDE_RULES_H_

#include "tests/support/tidy_rules.h"

namespace proactor::tidy {

// Includes go downward only, along the table.
Complaints IncludesGoDownward(const SourceFile& file);

// The kernel's interface is seen where operations are prepared and rings are driven, and by no user.
Complaints LiburingStaysBelow(const SourceFile& file);

}  // namespace proactor::tidy

#endif  // PROACTOR_TESTS_SUPPORT_INCLUDE_RULES_H_
