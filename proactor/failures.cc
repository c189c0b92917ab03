// SPDX-License-Identifier: Apache-2.0
#include "proactor/failures.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace proactor {

void Failures::Add(std::string_view name, const absl::Status& failure) {
  if (count_ == 0) first_ = failure;
  if (++count_ > kNamed) return;
  absl::StrAppend(&text_, count_ == 1 ? "" : "; ", name.empty() ? "(unnamed)" : std::string(name), ": ",
                  absl::StatusCodeToString(failure.code()), ": ", failure.message());
}

absl::Status Failures::Summary() const {
  if (count_ == 0) return absl::OkStatus();
  std::string text = absl::StrCat(count_, " failed: ", text_);
  if (count_ > kNamed) absl::StrAppend(&text, "; and ", count_ - kNamed, " more");
  absl::Status summary(first_.code(), text);
  first_.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) { summary.SetPayload(type, payload); });
  return summary;
}

}  // namespace proactor
