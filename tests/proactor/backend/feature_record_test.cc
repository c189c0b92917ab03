// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/feature_record.h"

#include "gtest/gtest.h"

namespace proactor {
namespace {

void ExpectOff(const FeatureRecord& record, Feature feature, Capability::State state, const char* why) {
  Capability capability = record.CapabilityFor(feature);
  EXPECT_FALSE(record.Has(feature));
  EXPECT_EQ(capability.feature, feature);
  EXPECT_EQ(capability.state, state);
  EXPECT_EQ(capability.why, why);
}

TEST(FeatureRecordTest, BeginsWithEverything) {
  FeatureRecord record;
  EXPECT_EQ(record.on(), kEveryFeature);
  EXPECT_EQ(record.CapabilityFor(Feature::kRecv).state, Capability::kOn);
  EXPECT_EQ(record.CapabilityFor(Feature::kRecv).why, "");
}

TEST(FeatureRecordTest, KnowsWhyEachIsOff) {
  FeatureRecord record;
  record.TurnOff(*ParseFeatures("fsync,splice"), WhyOff::kDisabled);
  record.TurnOff(Feature::kDeferTaskrun, WhyOff::kSetupRefuses);
  record.TurnOff(Feature::kMultishotAccept, WhyOff::kRequestRefused);
  ExpectOff(record, Feature::kFsync, Capability::kDisabled, "disabled by PROACTOR_DISABLE or in code");
  EXPECT_TRUE(record.IsDisabled(Feature::kSplice));
  ExpectOff(record, Feature::kDeferTaskrun, Capability::kLacking, "io_uring_setup refuses it; Linux 6.1 has it");
  EXPECT_FALSE(record.IsDisabled(Feature::kDeferTaskrun));
  ExpectOff(record, Feature::kMultishotAccept, Capability::kLacking, "a request for it was refused; Linux 5.19 has it");
  EXPECT_FALSE(record.IsDisabled(Feature::kRecv));
}

TEST(FeatureRecordTest, WhatNeedsOneThatIsOffIsOffForTheSameReason) {
  FeatureRecord record;
  record.TurnOff(Feature::kSingleIssuer, WhyOff::kDisabled);
  record.TurnOffFor(Feature::kDeferTaskrun, Feature::kSingleIssuer);
  record.TurnOffFor(Feature::kMultishotReceive, Feature::kDeferTaskrun);
  ExpectOff(record, Feature::kMultishotReceive, Capability::kDisabled, "needs single_issuer, which is disabled");
  EXPECT_EQ(record.CapabilityFor(Feature::kMultishotReceive).needs, Feature::kSingleIssuer);

  FeatureRecord older;
  older.TurnOff(Feature::kDeferTaskrun, WhyOff::kSetupRefuses);
  older.TurnOffFor(Feature::kMultishotReceive, Feature::kDeferTaskrun);
  ExpectOff(older, Feature::kMultishotReceive, Capability::kLacking,
            "needs defer_taskrun: io_uring_setup refuses it; Linux 6.1 has it");
}

TEST(FeatureRecordTest, TheFirstReasonCounts) {
  FeatureRecord record;
  record.TurnOff(Feature::kRecv, WhyOff::kDisabled);
  record.TurnOff(Feature::kRecv, WhyOff::kProbeDoesNotList);
  EXPECT_TRUE(record.IsDisabled(Feature::kRecv));
}

}  // namespace
}  // namespace proactor
