// SPDX-License-Identifier: Apache-2.0
//
// Why this system gives no io_uring, in words that a person can act on.
//
//   absl::Status refusal = Ring::Create({}).status();
//   Log(LogSeverity::kWarning, ExplainRefusal(refusal, SystemPolicy::OfThisThread()));
//   // io_uring_setup: Operation not permitted; kernel.io_uring_disabled=2 (sysctl kernel.io_uring_disabled=0 allows
//   it)
//
// Threads: all functions may be called from any thread.
#ifndef PROACTOR_BACKEND_IO_URING_REFUSAL_H_
#define PROACTOR_BACKEND_IO_URING_REFUSAL_H_

#include <string>

#include "absl/status/status.h"

namespace proactor {

// What a system says of itself that can explain a refusal.
struct SystemPolicy {
  static SystemPolicy OfThisThread();

  int io_uring_disabled = 0;    // The sysctl: 1 allows io_uring to some, 2 to nobody. 0 where it is not known.
  bool seccomp_filter = false;  // Some filter looks at this thread's system calls.
};

// What failed, and as far as it can be known, why, and what changes it.
std::string ExplainRefusal(const absl::Status& refusal, const SystemPolicy& policy);

}  // namespace proactor

#endif  // PROACTOR_BACKEND_IO_URING_REFUSAL_H_
