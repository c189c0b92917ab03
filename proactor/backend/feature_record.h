// SPDX-License-Identifier: Apache-2.0
//
// FeatureRecord: which features a ring has and, for each that it does without, why: written down when it is turned off.
//
//   FeatureRecord record;
//   record.TurnOff(Feature::kDeferTaskrun, WhyOff::kSetupRefuses);
//   record.TurnOffFor(Feature::kMultishotReceive, Feature::kDeferTaskrun);   // because that one is off
//   Capability capability = record.CapabilityFor(Feature::kMultishotReceive);
//   // "needs defer_taskrun: io_uring_setup refuses it; Linux 6.1 has it"
//
// The first reason counts: what is off already stays off for that.
//
// Threads: a value.
#ifndef PROACTOR_BACKEND_FEATURE_RECORD_H_
#define PROACTOR_BACKEND_FEATURE_RECORD_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "proactor/capabilities.h"
#include "proactor/feature.h"

namespace proactor {

enum class WhyOff : uint8_t {
  kDisabled,  // By the user.
  kSetupRefuses,
  kSetupDoesNotList,
  kProbeDoesNotList,
  kSocketNotListed,  // What came with it, and is not listed itself.
  kSendZcNotListed,
  kMayHang,  // Undoing it, on a kernel that does not list SEND_ZC.
  kRegisterRefuses,
  kRequestRefused,
  kRestricted,  // The ring is, which is to do without.
};

class FeatureRecord {
 public:
  FeatureSet on() const { return on_; }
  bool Has(Feature feature) const { return on_.Contains(feature); }

  void TurnOff(Feature feature, WhyOff why);
  void TurnOff(FeatureSet features, WhyOff why);
  // `needed` is off. Its reason is this one's, too.
  void TurnOffFor(Feature feature, Feature needed);

  bool IsDisabled(Feature feature) const { return !Has(feature) && of(feature).why == WhyOff::kDisabled; }
  Capability CapabilityFor(Feature feature) const;

 private:
  struct Reason {
    WhyOff why = {};
    Feature root = {};  // Itself, or what it needs.
  };

  const Reason& of(Feature feature) const { return reasons_[static_cast<size_t>(feature)]; }
  void Note(Feature feature, Reason reason);

  FeatureSet on_ = kEveryFeature;
  std::array<Reason, kFeatureCount> reasons_;  // Of those that are off.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FEATURE_RECORD_H_
