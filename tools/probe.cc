// SPDX-License-Identifier: Apache-2.0
#include "tools/probe.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "proactor/backend_choice.h"
#include "proactor/fs/file.h"
#include "proactor/log.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace tools {
namespace {

using proactor::Task;
using proactor::Try;

std::optional<uint64_t> Limit(int resource) {
  rlimit limit;
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  return limit.rlim_cur;
}

std::optional<int> Sysctl(const std::string& name) {
  int value;
  if (!(std::ifstream("/proc/sys/kernel/" + name) >> value)) return {};
  return value;
}

bool HasSeccompFilter() {
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return line.ends_with('2');
  }
  return false;
}

CallAnswer Ask(const char* name, long number) {
  // No descriptor and no address that is one, and more of both than there can be: nothing is done in any case.
  errno = 0;
  syscall(number, 1 << 30, nullptr, 0, 0, nullptr, 0);
  bool allowed = errno == EBADF || errno == EINVAL || errno == EFAULT;
  return {.call = name, .error = errno, .allowed = allowed};
}

// The first thing that a program could want: an operation, from beginning to end.
Task<absl::Status> UseIt() {
  proactor::File file = co_await Try(proactor::File::Open("/dev/null"));
  char byte;
  co_await Try(file.Read({&byte, 1}));
  co_return absl::OkStatus();
}

bool WantsEpoll(const proactor::RunOptions& options) {
  absl::StatusOr<proactor::BackendChoice> choice = proactor::BackendChoiceOfEnvironment();
  if (options.backend.has_value()) choice = *options.backend;
  return choice.ok() && *choice == proactor::BackendChoice::kEpoll;
}

}  // namespace

Probe LookAround(proactor::RunOptions options) {
  Probe probe;
  utsname name;
  probe.kernel = uname(&name) == 0 ? name.release : "unknown";
  probe.locked_memory_limit = Limit(RLIMIT_MEMLOCK);
  probe.descriptor_limit = Limit(RLIMIT_NOFILE);
  probe.io_uring_disabled = Sysctl("io_uring_disabled");
  probe.io_uring_group = Sysctl("io_uring_group");
  probe.seccomp_filter = HasSeccompFilter();
  if (!WantsEpoll(options)) {
    probe.calls = {Ask("io_uring_setup", SYS_io_uring_setup), Ask("io_uring_enter", SYS_io_uring_enter),
                   Ask("io_uring_register", SYS_io_uring_register)};
  }
  // What it has to say is in the report.
  proactor::LogSink before = proactor::SetLogSink([](proactor::LogSeverity, std::string_view) {});
  absl::Time start = absl::Now();
  absl::StatusOr<std::unique_ptr<proactor::Proactor>> made = proactor::MakeProactor(options);
  probe.status = made.status();
  if (made.ok()) {
    proactor::Scheduler scheduler(*std::move(made));
    probe.status = scheduler.Run(UseIt());
    probe.first_completion = absl::Now() - start;
    probe.capabilities = scheduler.proactor().capabilities();
  }
  proactor::SetLogSink(before);
  return probe;
}

}  // namespace tools
