// SPDX-License-Identifier: Apache-2.0
//
// Probe: what this machine gives a program of the library's.
//
//   tools::Probe probe = tools::LookAround({.backend = proactor::BackendChoice::kAuto});
//   bool fast = probe.status.ok() && probe.capabilities.backend == "io_uring";
//
// Looking around sets a proactor up, as `Run` would, and has a task use it. Where epoll is chosen by name, no call of
// io_uring is made: a sandbox may end the process for one.
#ifndef PROACTOR_TOOLS_PROBE_H_
#define PROACTOR_TOOLS_PROBE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/capabilities.h"
#include "proactor/run.h"

namespace tools {

// How the kernel, or a filter before it, answers a call that asks for nothing it could give: an allowed one with EBADF,
// EINVAL or EFAULT.
struct CallAnswer {
  std::string call;
  int error = 0;
  bool allowed = false;
};

struct Probe {
  std::string kernel;  // As uname(1) has it: "6.1.0-32-amd64".
  // In bytes and in numbers; nothing: without a limit.
  std::optional<uint64_t> locked_memory_limit = {};
  std::optional<uint64_t> descriptor_limit = {};
  // Of the sysctls kernel.io_uring_disabled and kernel.io_uring_group; nothing where the kernel has none (before 6.6).
  std::optional<int> io_uring_disabled = {};
  std::optional<int> io_uring_group = {};
  bool seccomp_filter = false;      // Some filter looks at this process's calls.
  std::vector<CallAnswer> calls = {};  // Empty if none was made.

  absl::Status status = {};  // Why nothing works.
  proactor::Capabilities capabilities = {};
  absl::Duration first_completion = {};  // How long it took from the beginning to the first completed operation.
};

Probe LookAround(proactor::RunOptions options);

}  // namespace tools

#endif  // PROACTOR_TOOLS_PROBE_H_
