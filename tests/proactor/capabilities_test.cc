// SPDX-License-Identifier: Apache-2.0
#include "proactor/capabilities.h"

#include "gtest/gtest.h"

namespace proactor {
namespace {

Capabilities Ring() {
  Capabilities capabilities = {.backend = "io_uring", .submission_entries = 256, .completion_entries = 4096};
  for (const FeatureFacts& facts : AllFeatures()) capabilities.features.push_back({.feature = facts.feature});
  return capabilities;
}

void Disable(Capabilities& capabilities, Feature feature) {
  capabilities.features[static_cast<size_t>(feature)] = {feature, Capability::kDisabled, "by a test"};
}

TEST(CapabilitiesTest, EachStateHasItsWord) {
  EXPECT_EQ(StateWord(Capability::kOn), "on");
  EXPECT_EQ(StateWord(Capability::kDisabled), "disabled");
  EXPECT_EQ(StateWord(Capability::kLacking), "lacking");
  EXPECT_EQ(StateWord(Capability::kNotTried), "not tried");
}

TEST(CapabilitiesTest, WithoutIoUringNothingHasBeenTried) {
  Capabilities capabilities = Capabilities::Without("epoll", "it is forbidden");
  EXPECT_EQ(capabilities.features.size(), kFeatureCount);
  EXPECT_FALSE(capabilities.Has(Feature::kNop));
  EXPECT_EQ(capabilities.features[0].state, Capability::kNotTried);
  EXPECT_EQ(capabilities.features[0].why, "operations go through epoll");
  EXPECT_EQ(capabilities.ToString(), "epoll; it is forbidden");
}

TEST(CapabilitiesTest, ALineSaysWhatIsOffAndWhy) {
  Capabilities capabilities = Ring();
  EXPECT_EQ(capabilities.ToString(), "io_uring, queues of 256 and 4096");
  Disable(capabilities, Feature::kNoIoWait);
  Disable(capabilities, Feature::kTruncate);
  capabilities.shrunk = true;
  EXPECT_EQ(capabilities.ToString(),
            "io_uring, queues of 256 and 4096 for lack of memory that may be locked; "
            "off: no_iowait (by a test), ftruncate (by a test)");
  capabilities = Ring();
  capabilities.restricted = true;
  EXPECT_EQ(capabilities.ToString(), "io_uring, queues of 256 and 4096, restricted");
}

TEST(CapabilitiesTest, OperationsTakeTheRingWhereItHasThem) {
  Capabilities capabilities = Ring();
  for (const FeatureFacts& facts : AllFeatures()) {
    if (!IsOperation(facts)) continue;
    EXPECT_EQ(capabilities.RouteOf(facts.feature), "ring") << facts.name;
  }
}

TEST(CapabilitiesTest, OperationsThatAreOffArePolledOrBlockAThread) {
  Capabilities capabilities = Ring();
  Disable(capabilities, Feature::kFsync);
  Disable(capabilities, Feature::kRead);
  EXPECT_EQ(capabilities.RouteOf(Feature::kFsync), "pool");
  EXPECT_EQ(capabilities.RouteOf(Feature::kRead), "poll, then call; pool for files");
  EXPECT_EQ(capabilities.RouteOf(Feature::kSend), "ring");
}

TEST(CapabilitiesTest, OneOperationOnSocketsThatIsOffMakesThemNonBlockingForAll) {
  Capabilities capabilities = Ring();
  Disable(capabilities, Feature::kRecvMessage);
  EXPECT_EQ(capabilities.RouteOf(Feature::kRecvMessage), "poll, then call");
  EXPECT_EQ(capabilities.RouteOf(Feature::kSend), "poll, then ring");
  EXPECT_EQ(capabilities.RouteOf(Feature::kWrite), "ring");
}

TEST(CapabilitiesTest, OnOtherBackendsItIsTheirsToSay) {
  Capabilities epoll = Capabilities::Without("epoll", "");
  EXPECT_EQ(epoll.RouteOf(Feature::kSend), "epoll, then call");
  EXPECT_EQ(epoll.RouteOf(Feature::kWrite), "epoll, then call; pool for files");
  EXPECT_EQ(epoll.RouteOf(Feature::kOpenAt), "pool");
  EXPECT_EQ(Capabilities::Without("simulated", "").RouteOf(Feature::kOpenAt), "simulated");
}

}  // namespace
}  // namespace proactor
