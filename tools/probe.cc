// SPDX-License-Identifier: Apache-2.0
#include "tools/probe.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "proactor/backend_choice.h"
#include "proactor/feature.h"
#include "proactor/fs/file.h"
#include "proactor/log.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace tools {
namespace {

using proactor::Capabilities;
using proactor::Capability;
using proactor::FeatureFacts;
using proactor::Task;
using proactor::Try;

constexpr char kRaiseLockedMemory[] =
    "raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK= of systemd, --ulimit memlock= of Docker)";

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

std::string Text(absl::string_view view) { return std::string(view.data(), view.size()); }

std::string Number(const std::optional<uint64_t>& limit, std::string_view unit) {
  return limit.has_value() ? absl::StrCat(*limit, std::string(unit)) : "unlimited";
}

std::string Number(const std::optional<int>& sysctl) {
  return sysctl.has_value() ? absl::StrCat(*sysctl) : "not there";
}

std::string Word(const CallAnswer& answer) {
  return absl::StrCat(answer.call, answer.allowed ? " allowed" : " refused: ",
                      answer.allowed ? "" : std::strerror(answer.error));
}

std::string QueuesOf(const Capabilities& capabilities) {
  if (capabilities.submission_entries == 0) return "none";
  return absl::StrCat(capabilities.submission_entries, " entries, ", capabilities.completion_entries, " completions",
                      capabilities.shrunk ? ", fewer than usual: only so much memory may be locked" : "");
}

std::string Facts(const Probe& probe) {
  std::string text;
  auto line = [&](const char* name, const std::string& value) {
    absl::StrAppendFormat(&text, "%-17s %s\n", name, value);
  };
  line("kernel", probe.kernel);
  line("limits", absl::StrCat("memlock ", Number(probe.locked_memory_limit, " bytes"), ", nofile ",
                              Number(probe.descriptor_limit, "")));
  line("sysctl", absl::StrCat("kernel.io_uring_disabled ", Number(probe.io_uring_disabled),
                              ", kernel.io_uring_group ", Number(probe.io_uring_group)));
  line("seccomp", probe.seccomp_filter ? "a filter looks at system calls" : "no filter");
  auto word = [](std::string* out, const CallAnswer& answer) { out->append(Word(answer)); };
  line("calls", probe.calls.empty() ? "none was made" : absl::StrJoin(probe.calls, ", ", word));
  if (!probe.status.ok()) {
    line("failure", Text(probe.status.message()));
    return text;
  }
  const Capabilities& capabilities = probe.capabilities;
  line("backend", capabilities.backend);
  line("why", capabilities.reason.empty() ? "it was the first choice" : capabilities.reason);
  line("queues", QueuesOf(capabilities));
  line("first completion", absl::StrFormat("after %.2f ms", absl::ToDoubleMilliseconds(probe.first_completion)));
  return text;
}

template <class Value>
nlohmann::ordered_json OrNull(const std::optional<Value>& value) {
  return value.has_value() ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
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

std::vector<std::string> Remedies(const Probe& probe) {
  std::vector<std::string> remedies;
  const Capabilities& capabilities = probe.capabilities;
  if (!probe.status.ok()) remedies.push_back(Text(probe.status.message()));
  if (!capabilities.reason.empty()) remedies.push_back("for io_uring: " + capabilities.reason);
  if (capabilities.shrunk) remedies.push_back(absl::StrCat("for a ring of the usual size: ", kRaiseLockedMemory));
  std::string disabled;
  for (const Capability& capability : capabilities.features) {
    const FeatureFacts& facts = proactor::FactsOf(capability.feature);
    if (capability.state == Capability::kDisabled) {
      absl::StrAppend(&disabled, disabled.empty() ? "" : ", ", std::string(facts.name));
    } else if (capability.state == Capability::kLacking) {
      remedies.push_back(absl::StrCat("for ", std::string(facts.name), " (", std::string(facts.purpose),
                                      "): ", FirstKernel(facts.feature), " or later"));
    }
  }
  if (!disabled.empty()) {
    remedies.push_back(absl::StrCat("for ", disabled, ": take them out of PROACTOR_DISABLE"));
  }
  return remedies;
}

std::string ToText(const Probe& probe) {
  std::string text = Facts(probe);
  if (probe.status.ok()) {
    absl::StrAppend(&text, "\nfeatures of io_uring\n");
    for (const Capability& capability : probe.capabilities.features) {
      const FeatureFacts& facts = proactor::FactsOf(capability.feature);
      bool on = capability.state == Capability::kOn;
      absl::StrAppendFormat(&text, "  %-3s %-19s %s\n", on ? "yes" : "no", std::string(facts.name),
                            on ? std::string(facts.purpose) : capability.why);
    }
    absl::StrAppend(&text, "\noperations\n");
    for (const FeatureFacts& facts : proactor::AllFeatures()) {
      if (!IsOperation(facts)) continue;
      absl::StrAppendFormat(&text, "  %-10s %s\n", std::string(facts.name), probe.capabilities.RouteOf(facts.feature));
    }
  }
  std::vector<std::string> remedies = Remedies(probe);
  if (remedies.empty()) return text + "\nnothing would make it better\n";
  absl::StrAppend(&text, "\nwhat would make it better\n");
  for (const std::string& remedy : remedies) absl::StrAppend(&text, "  ", remedy, "\n");
  return text;
}

std::string ToJson(const Probe& probe) {
  const Capabilities& capabilities = probe.capabilities;
  nlohmann::ordered_json json;
  json["kernel"] = probe.kernel;
  json["limits"] = {{"memlock", OrNull(probe.locked_memory_limit)}, {"nofile", OrNull(probe.descriptor_limit)}};
  json["sysctl"] = {{"kernel.io_uring_disabled", OrNull(probe.io_uring_disabled)},
                    {"kernel.io_uring_group", OrNull(probe.io_uring_group)}};
  json["seccomp_filter"] = probe.seccomp_filter;
  json["calls"] = nlohmann::ordered_json::object();
  for (const CallAnswer& answer : probe.calls) {
    json["calls"][answer.call] = {{"allowed", answer.allowed}, {"errno", answer.error}};
  }
  json["failure"] = probe.status.ok() ? nlohmann::ordered_json() : nlohmann::ordered_json(Text(probe.status.message()));
  json["backend"] = capabilities.backend;
  json["reason"] = capabilities.reason;
  json["queues"] = {{"entries", capabilities.submission_entries},
                    {"completions", capabilities.completion_entries},
                    {"shrunk", capabilities.shrunk}};
  json["first_completion_ms"] = absl::ToDoubleMilliseconds(probe.first_completion);
  json["features"] = nlohmann::ordered_json::object();
  json["operations"] = nlohmann::ordered_json::object();
  for (const Capability& capability : capabilities.features) {
    const FeatureFacts& facts = proactor::FactsOf(capability.feature);
    json["features"][std::string(facts.name)] = {{"state", StateWord(capability.state)},
                                                 {"why", capability.why},
                                                 {"since", FirstKernel(facts.feature)}};
    if (IsOperation(facts)) json["operations"][std::string(facts.name)] = capabilities.RouteOf(facts.feature);
  }
  json["remedies"] = Remedies(probe);
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int ExitStatus(const Probe& probe) {
  if (absl::IsInvalidArgument(probe.status)) return 2;
  if (!probe.status.ok()) return 3;
  return probe.capabilities.reason.empty() ? 0 : 1;
}

}  // namespace tools
