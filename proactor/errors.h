// SPDX-License-Identifier: Apache-2.0
//
// From errno to absl::Status, and what a status says beyond its code.
//
//   absl::Status status = ErrnoToStatus(ECONNRESET, "recv");   // UNAVAILABLE: recv: Connection reset by peer
//   ErrnoOf(status) == ECONNRESET
//
// Codes are those of `absl::ErrnoToStatusCode`, with two exceptions. ETIMEDOUT and ETIME are `kUnavailable`, because in
// this library `kDeadlineExceeded` comes only from the scope that set the deadline; so is EPIPE, like ECONNRESET: which
// of the two a write meets is a matter of timing. The message names the system call and what errno(3) means; the number
// itself is in a payload.
//
// Threads: all functions may be called from any thread.
#ifndef PROACTOR_ERRORS_H_
#define PROACTOR_ERRORS_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace proactor {

// The type URL of the payload that holds the number.
inline constexpr char kErrnoPayload[] = "proactor/errno";

// `error` is an errno value above zero; `what` names the call, or what was tried.
absl::Status ErrnoToStatus(int error, std::string_view what);

// The errno that `status` came from, or 0.
int ErrnoOf(const absl::Status& status);

// How far an operation that promises all of something had got when it failed, such as the bytes that `WriteAll` handed
// to the kernel; nothing if the status does not come from one.
std::optional<size_t> BytesTransferred(const absl::Status& status);
absl::Status WithBytesTransferred(absl::Status status, size_t bytes);

}  // namespace proactor

#endif  // PROACTOR_ERRORS_H_
