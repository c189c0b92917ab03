// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/feature_record.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

const char* Words(WhyOff why) {
  switch (why) {
    case WhyOff::kDisabled:
      return "disabled by PROACTOR_DISABLE or in code";
    case WhyOff::kSetupRefuses:
      return "io_uring_setup refuses it";
    case WhyOff::kSetupDoesNotList:
      return "io_uring_setup does not list it";
    case WhyOff::kProbeDoesNotList:
      return "io_uring_register(PROBE) does not list it";
    case WhyOff::kSocketNotListed:
      return "io_uring_register(PROBE) does not list socket, which came with it";
    case WhyOff::kSendZcNotListed:
      return "io_uring_register(PROBE) does not list send_zc, which came with it";
    case WhyOff::kMayHang:
      return "io_uring_register(PROBE) does not list send_zc, without which undoing it may hang";
    case WhyOff::kRegisterRefuses:
      return "io_uring_register refuses it";
    case WhyOff::kRequestRefused:
      return "a request for it was refused";
    case WhyOff::kRestricted:
      return "a restricted ring does without it";
  }
  return "";
}

}  // namespace

void FeatureRecord::Note(Feature feature, Reason reason) {
  if (!Has(feature)) return;
  on_.Remove(feature);
  reasons_[static_cast<size_t>(feature)] = reason;
}

void FeatureRecord::TurnOff(Feature feature, WhyOff why) { Note(feature, {why, feature}); }

void FeatureRecord::TurnOff(FeatureSet features, WhyOff why) {
  for (const FeatureFacts& facts : AllFeatures()) {
    if (features.Contains(facts.feature)) TurnOff(facts.feature, why);
  }
}

void FeatureRecord::TurnOffFor(Feature feature, Feature needed) { Note(feature, of(needed)); }

Capability FeatureRecord::CapabilityFor(Feature feature) const {
  if (Has(feature)) return {.feature = feature};
  const auto [why, root] = of(feature);
  const bool disabled = why == WhyOff::kDisabled || why == WhyOff::kRestricted;
  Capability off = {.feature = feature, .state = disabled ? Capability::kDisabled : Capability::kLacking};
  std::string needs;
  if (root != feature) {
    off.needs = root;
    needs = absl::StrCat("needs ", std::string(FactsOf(root).name), disabled ? ", which is " : ": ");
  }
  off.why = needs + (disabled && off.needs ? "disabled" : Words(why));
  if (!disabled) absl::StrAppend(&off.why, "; ", FirstKernel(root), " has it");
  return off;
}

}  // namespace proactor
