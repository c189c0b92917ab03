// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/io_uring_refusal.h"

#include <cerrno>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proactor/errors.h"

namespace proactor {
namespace {

constexpr char kAllowCalls[] = "allow io_uring_setup, io_uring_enter and io_uring_register in its profile";

std::string WhyNotPermitted(const SystemPolicy& policy) {
  if (policy.io_uring_disabled == 2) {
    return "kernel.io_uring_disabled=2 (sysctl kernel.io_uring_disabled=0 allows it)";
  }
  std::string filter = absl::StrCat("a seccomp filter, such as Docker's default profile, forbids it; ", kAllowCalls);
  if (policy.io_uring_disabled == 1) {
    // Not those with CAP_SYS_ADMIN, whom something else refuses then; who has it cannot be told from outside of the
    // initial user namespace.
    return absl::StrCat(
        "kernel.io_uring_disabled=1 allows it to root and to the group kernel.io_uring_group only "
        "(sysctl kernel.io_uring_disabled=0 allows it to all)",
        policy.seccomp_filter ? absl::StrCat("; or ", filter) : "");
  }
  return policy.seccomp_filter ? filter : "a security module or a sandbox around this process forbids it";
}

std::string Why(const absl::Status& refusal, const SystemPolicy& policy) {
  switch (ErrnoOf(refusal)) {
    case EPERM:
      return WhyNotPermitted(policy);
    case EACCES:
      return absl::StrCat("a security module (SELinux, AppArmor) denies it: allow io_uring in its policy",
                          policy.seccomp_filter ? absl::StrCat("; or a seccomp filter does: ", kAllowCalls) : "");
    case ENOSYS:
      return absl::StrCat("this kernel has no io_uring (Linux 5.12 with CONFIG_IO_URING has)",
                          policy.seccomp_filter ? absl::StrCat("; or a seccomp filter hides it: ", kAllowCalls) : "");
    case EINVAL:
      return "this kernel's io_uring, or what emulates it, is too old (Linux 5.12 is needed)";
    case ENOMEM:
      return "it takes locked memory; raise RLIMIT_MEMLOCK (ulimit -l)";
    case EMFILE:
      return "raise RLIMIT_NOFILE (ulimit -n)";
    case ENFILE:
      return "raise the limit of the whole system (sysctl fs.file-max)";
    default:
      return "";
  }
}

}  // namespace

SystemPolicy SystemPolicy::OfThisThread() {
  SystemPolicy policy;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> policy.io_uring_disabled;
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "Seccomp:")) policy.seccomp_filter = absl::EndsWith(line, "2");
  }
  return policy;
}

std::string ExplainRefusal(const absl::Status& refusal, const SystemPolicy& policy) {
  std::string why = Why(refusal, policy);
  return absl::StrCat(refusal.message(), why.empty() ? "" : "; ", why);
}

}  // namespace proactor
