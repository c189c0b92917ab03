// SPDX-License-Identifier: Apache-2.0
#include "proactor/errors.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

constexpr char kBytesPayload[] = "proactor/bytes_transferred";

std::optional<size_t> NumberIn(const absl::Status& status, const char* payload) {
  absl::optional<absl::Cord> text = status.GetPayload(payload);
  size_t number;
  if (!text.has_value() || !absl::SimpleAtoi(std::string(*text), &number)) return std::nullopt;
  return number;
}

}  // namespace

absl::Status ErrnoToStatus(int error, std::string_view what) {
  absl::StatusCode code = absl::ErrnoToStatusCode(error);
  if (code == absl::StatusCode::kDeadlineExceeded || error == EPIPE) code = absl::StatusCode::kUnavailable;
  const char* meaning = strerrordesc_np(error);  // Unlike strerror(3), safe with threads and not translated.
  absl::string_view call(what.data(), what.size());
  absl::Status status(code, meaning != nullptr ? absl::StrCat(call, ": ", meaning)
                                               : absl::StrCat(call, ": Unknown error ", error));
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(error)));
  return status;
}

int ErrnoOf(const absl::Status& status) { return static_cast<int>(NumberIn(status, kErrnoPayload).value_or(0)); }

std::optional<size_t> BytesTransferred(const absl::Status& status) { return NumberIn(status, kBytesPayload); }

absl::Status WithBytesTransferred(absl::Status status, size_t bytes) {
  status.SetPayload(kBytesPayload, absl::Cord(absl::StrCat(bytes)));
  return status;
}

}  // namespace proactor
