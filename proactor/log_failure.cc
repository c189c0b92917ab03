// SPDX-License-Identifier: Apache-2.0
#include "proactor/log_failure.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor::internal {

void LogTaskFailure(std::string_view name, const absl::Status& status) {
  if (status.ok() || absl::IsCancelled(status)) return;
  Log(LogSeverity::kWarning,
      absl::StrCat("task ", name.empty() ? "(unnamed)" : std::string(name), ": ", status.ToString()));
}

}  // namespace proactor::internal
