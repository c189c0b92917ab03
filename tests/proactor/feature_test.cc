// SPDX-License-Identifier: Apache-2.0
#include "proactor/feature.h"

#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

FeatureSet Of(std::initializer_list<Feature> features) {
  FeatureSet set;
  for (Feature feature : features) set.Add(feature);
  return set;
}

TEST(FeatureTest, EachHasItsFactsUnderItsNumberAndIsKnownByItsName) {
  ASSERT_EQ(AllFeatures().size(), kFeatureCount);
  for (size_t i = 0; i < kFeatureCount; ++i) {
    const FeatureFacts& facts = AllFeatures()[i];
    EXPECT_EQ(static_cast<size_t>(facts.feature), i) << facts.name;
    EXPECT_EQ(&FactsOf(facts.feature), &facts);
    EXPECT_THAT(ParseFeatures(facts.name), IsOkAndHolds(Of({facts.feature})));
  }
  EXPECT_EQ(FirstKernel(Feature::kDeferTaskrun), "Linux 6.1");
}

TEST(FeatureSetTest, AddsAndRemoves) {
  FeatureSet set = Of({Feature::kNop, Feature::kTruncate});
  EXPECT_TRUE(set.Contains(Feature::kNop));
  EXPECT_FALSE(set.Contains(Feature::kRecv));
  EXPECT_EQ(set.size(), 2);
  EXPECT_EQ(set.Without(Of({Feature::kNop, Feature::kRecv})), Of({Feature::kTruncate}));
  EXPECT_EQ(set | Of({Feature::kRecv}), Of({Feature::kNop, Feature::kTruncate, Feature::kRecv}));
  set.Remove(Feature::kNop);
  set.Remove(Feature::kTruncate);
  EXPECT_TRUE(set.empty());
}

TEST(ParseFeaturesTest, TakesListsWithCommasAndSpaces) {
  EXPECT_THAT(ParseFeatures(""), IsOkAndHolds(FeatureSet()));
  EXPECT_THAT(ParseFeatures("recv,,send"), IsOkAndHolds(Of({Feature::kRecv, Feature::kSend})));
  EXPECT_THAT(ParseFeatures(" recv , send,"), IsOkAndHolds(Of({Feature::kRecv, Feature::kSend})));
}

TEST(ParseFeaturesTest, AProfileIsWhatIsNewerThanThatKernelAndNotNeeded) {
  EXPECT_THAT(
      ParseFeatures("linux-6.6"),
      IsOkAndHolds(Of({Feature::kAbsoluteTimer, Feature::kNoIoWait, Feature::kRegisteredFiles, Feature::kTruncate})));
  FeatureSet before = OptionalFeatures();
  EXPECT_THAT(ParseFeatures("all"), IsOkAndHolds(before));
  for (std::string_view profile : FeatureProfiles()) {
    FeatureSet set = *ParseFeatures(profile);
    EXPECT_EQ(set.Contains(Feature::kDeferTaskrun), profile < "linux-6.1") << profile;
    EXPECT_FALSE(set.Contains(Feature::kExtendedArgument)) << profile;
    EXPECT_FALSE(set.empty()) << profile;
  }
  EXPECT_TRUE(ParseFeatures("linux-5.10")->Contains(Feature::kMultishotPoll));
  EXPECT_FALSE(ParseFeatures("linux-5.15")->Contains(Feature::kMultishotPoll));
  EXPECT_THAT(ParseFeatures("linux-6.6,linux-6.1"), IsOkAndHolds(*ParseFeatures("linux-6.1")));
}

TEST(ParseFeaturesTest, AnUnknownNameIsAnErrorThatNamesTheNearestAndAllThereAre) {
  EXPECT_THAT(ParseFeatures("recv,defer_taskrunn"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("no feature 'defer_taskrunn'; is it defer_taskrun?"),
                             HasSubstr("There are single_mmap, "), HasSubstr(", linux-5.10, "), HasSubstr(", all"))));
  EXPECT_THAT(ParseFeatures("linux-6.7"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("; is it linux-6.")));
  EXPECT_THAT(ParseFeatures("everything"),
              StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("is it"))));
}

TEST(FeatureTest, SocketsMayBlockWhereEveryOperationOnThemIsThere) {
  EXPECT_TRUE(SocketsMayBlock(kEveryFeature));
  EXPECT_TRUE(SocketsMayBlock(kEveryFeature.Without(*ParseFeatures("read,fsync,no_iowait"))));
  for (const char* operation : {"accept", "connect", "recv", "recvmsg", "send", "sendmsg"}) {
    EXPECT_FALSE(SocketsMayBlock(kEveryFeature.Without(*ParseFeatures(operation)))) << operation;
  }
}

class DisabledFeaturesTest : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("PROACTOR_DISABLE"); }
};

TEST_F(DisabledFeaturesTest, AreNoneWithoutTheVariable) {
  unsetenv("PROACTOR_DISABLE");
  EXPECT_THAT(DisabledFeaturesOfEnvironment(), IsOkAndHolds(FeatureSet()));
  setenv("PROACTOR_DISABLE", "", 1);
  EXPECT_THAT(DisabledFeaturesOfEnvironment(), IsOkAndHolds(FeatureSet()));
}

TEST_F(DisabledFeaturesTest, AreWhatTheVariableSays) {
  setenv("PROACTOR_DISABLE", "recv,linux-6.6", 1);
  EXPECT_THAT(DisabledFeaturesOfEnvironment(), IsOkAndHolds(*ParseFeatures("linux-6.6,recv")));
}

TEST_F(DisabledFeaturesTest, AWrongNameIsAnErrorThatNamesTheVariable) {
  setenv("PROACTOR_DISABLE", "receive", 1);
  EXPECT_THAT(
      DisabledFeaturesOfEnvironment(),
      StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("PROACTOR_DISABLE"), HasSubstr("'receive'"))));
}

}  // namespace
}  // namespace proactor
