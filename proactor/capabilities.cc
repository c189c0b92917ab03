// SPDX-License-Identifier: Apache-2.0
#include "proactor/capabilities.h"

#include "absl/strings/str_cat.h"

namespace proactor {

std::string_view StateWord(Capability::State state) {
  switch (state) {
    case Capability::kOn:
      return "on";
    case Capability::kDisabled:
      return "disabled";
    case Capability::kLacking:
      return "lacking";
    case Capability::kNotTried:
      return "not tried";
  }
  return "";
}

bool IsOperation(const FeatureFacts& facts) {
  return facts.substitute == Substitute::kPoll || facts.substitute == Substitute::kPool ||
         facts.substitute == Substitute::kPollOrPool;
}

Capabilities Capabilities::Without(std::string_view backend, std::string_view reason) {
  Capabilities capabilities = {.backend = std::string(backend), .reason = std::string(reason)};
  for (const FeatureFacts& facts : AllFeatures()) {
    capabilities.features.push_back({.feature = facts.feature,
                                     .state = Capability::kNotTried,
                                     .why = absl::StrCat("operations go through ", capabilities.backend)});
  }
  return capabilities;
}

FeatureSet Capabilities::On() const {
  FeatureSet on;
  for (const Capability& capability : features) {
    if (capability.state == Capability::kOn) on.Add(capability.feature);
  }
  return on;
}

std::string Capabilities::RouteOf(Feature operation) const {
  Substitute substitute = FactsOf(operation).substitute;
  if (backend == "io_uring" && Has(operation)) {
    return substitute != Substitute::kPoll || SocketsMayBlock(On()) ? "ring" : "poll, then ring";
  }
  if (backend != "io_uring" && backend != "epoll") return backend;
  if (substitute == Substitute::kPool) return "pool";
  return absl::StrCat(backend == "epoll" ? "epoll" : "poll", ", then call",
                      substitute == Substitute::kPollOrPool ? "; pool for files" : "");
}

std::string Capabilities::ToString() const {
  std::string text = backend;
  if (submission_entries != 0) {
    absl::StrAppend(&text, ", queues of ", submission_entries, " and ", completion_entries,
                    shrunk ? " for lack of memory that may be locked" : "", restricted ? ", restricted" : "");
  }
  if (!reason.empty()) absl::StrAppend(&text, "; ", reason);
  const char* separator = "; off: ";
  for (const Capability& capability : features) {
    if (capability.state == Capability::kOn || capability.state == Capability::kNotTried) continue;
    absl::StrAppend(&text, separator, std::string(FactsOf(capability.feature).name), " (", capability.why, ")");
    separator = ", ";
  }
  return text;
}

}  // namespace proactor
