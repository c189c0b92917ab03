// SPDX-License-Identifier: Apache-2.0
#include "tools/probe_report.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "proactor/capabilities.h"
#include "proactor/feature.h"

namespace tools {
namespace {

using proactor::Capabilities;
using proactor::Capability;
using proactor::Feature;
using proactor::FeatureFacts;

constexpr char kRaiseLockedMemory[] =
    "raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK= of systemd, --ulimit memlock= of Docker)";

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

std::string RestrictionOf(const Capabilities& capabilities) {
  if (capabilities.backend != "io_uring") return "there is no ring";
  return capabilities.restricted ? "the ring refuses what the library does not use" : "the ring takes any request";
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
  line("restriction", RestrictionOf(capabilities));
  line("first completion", absl::StrFormat("after %.2f ms", absl::ToDoubleMilliseconds(probe.first_completion)));
  return text;
}

// Of what it is off for, which need not be itself.
std::string RemedyOf(const Capability& capability) {
  Feature cause = capability.needs.value_or(capability.feature);
  if (capability.state == Capability::kLacking) return FirstKernel(cause) + " or later";
  return absl::StrCat("take ", std::string(proactor::FactsOf(cause).name), " out of PROACTOR_DISABLE");
}

template <class Value>
nlohmann::ordered_json OrNull(const std::optional<Value>& value) {
  return value.has_value() ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

// The way that each operation takes; nothing of what could not be found out.
std::vector<std::pair<std::string, std::string>> Routes(const Capabilities& capabilities) {
  std::vector<std::pair<std::string, std::string>> routes;
  for (const Capability& capability : capabilities.features) {
    const FeatureFacts& facts = proactor::FactsOf(capability.feature);
    if (IsOperation(facts)) routes.emplace_back(facts.name, capabilities.RouteOf(facts.feature));
  }
  if (routes.empty()) return routes;
  // What is no single request: receiving into a pool of buffers, and functions that block.
  std::string receive = "poll, then call";
  if (capabilities.backend == "epoll") receive = "epoll, then call";
  if (capabilities.backend == "io_uring" && capabilities.Has(Feature::kMultishotReceive) &&
      capabilities.Has(Feature::kBufferRing)) {
    receive = "ring, one request for many";
  }
  routes.emplace_back("receive", receive);
  routes.emplace_back("function", "pool");
  return routes;
}

}  // namespace

std::vector<std::string> Remedies(const Probe& probe) {
  std::vector<std::string> remedies;
  const Capabilities& capabilities = probe.capabilities;
  if (!probe.status.ok()) remedies.push_back(Text(probe.status.message()));
  if (!capabilities.reason.empty()) remedies.push_back("for io_uring: " + capabilities.reason);
  if (capabilities.shrunk) remedies.push_back(absl::StrCat("for a ring of the usual size: ", kRaiseLockedMemory));
  std::string disabled;
  for (const Capability& capability : capabilities.features) {
    const FeatureFacts& facts = proactor::FactsOf(capability.feature);
    if (capability.state == Capability::kDisabled && !capability.needs.has_value()) {
      absl::StrAppend(&disabled, disabled.empty() ? "" : ", ", std::string(facts.name));
    } else if (capability.state == Capability::kDisabled || capability.state == Capability::kLacking) {
      remedies.push_back(
          absl::StrCat("for ", std::string(facts.name), " (", std::string(facts.purpose), "): ", RemedyOf(capability)));
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
    for (const auto& [operation, route] : Routes(probe.capabilities)) {
      absl::StrAppendFormat(&text, "  %-10s %s\n", operation, route);
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
  json["restricted"] = capabilities.restricted;
  json["first_completion_ms"] = absl::ToDoubleMilliseconds(probe.first_completion);
  json["features"] = nlohmann::ordered_json::object();
  json["operations"] = nlohmann::ordered_json::object();
  for (const Capability& capability : capabilities.features) {
    const FeatureFacts& facts = proactor::FactsOf(capability.feature);
    json["features"][std::string(facts.name)] = {{"state", StateWord(capability.state)},
                                                 {"why", capability.why},
                                                 {"since", FirstKernel(facts.feature)}};
  }
  for (const auto& [operation, route] : Routes(capabilities)) json["operations"][operation] = route;
  json["remedies"] = Remedies(probe);
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int ExitStatus(const Probe& probe) {
  if (absl::IsInvalidArgument(probe.status)) return 2;
  if (!probe.status.ok()) return 3;
  return probe.capabilities.reason.empty() ? 0 : 1;
}

}  // namespace tools
