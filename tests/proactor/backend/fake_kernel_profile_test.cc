// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_kernel_profile.h"

#include <liburing.h>

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace proactor {
namespace {

TEST(FakeKernelProfileTest, EachHasWhatTheOneBeforeHas) {
  std::set<std::string> names;
  const FakeKernelProfile* older = nullptr;
  for (const FakeKernelProfile& profile : FakeKernelProfile::Every()) {
    SCOPED_TRACE(profile.name);
    EXPECT_TRUE(names.insert(profile.name).second);
    if (older != nullptr) {
      EXPECT_EQ(older->setup_flags & ~profile.setup_flags, 0u);
      EXPECT_EQ(older->features & ~profile.features, 0u);
      EXPECT_EQ(older->enter_flags & ~profile.enter_flags, 0u);
      EXPECT_LE(older->operations, profile.operations);
      EXPECT_LE(older->registrations, profile.registrations);
    }
    older = &profile;
  }
  EXPECT_EQ(names.size(), 7u);
}

// A few that are easy to look up.
TEST(FakeKernelProfileTest, FeaturesComeWithTheirVersions) {
  EXPECT_EQ(FakeKernelProfile::Linux5_15().setup_flags & IORING_SETUP_SUBMIT_ALL, 0u);
  EXPECT_EQ(FakeKernelProfile::Linux5_15().operations, unsigned{IORING_OP_MSG_RING});
  EXPECT_NE(FakeKernelProfile::Linux5_19().setup_flags & IORING_SETUP_COOP_TASKRUN, 0u);
  EXPECT_EQ(FakeKernelProfile::Linux5_19().setup_flags & IORING_SETUP_SINGLE_ISSUER, 0u);
  EXPECT_EQ(FakeKernelProfile::Linux5_19().operations, unsigned{IORING_OP_SEND_ZC});
  EXPECT_EQ(FakeKernelProfile::Linux6_0().setup_flags & IORING_SETUP_DEFER_TASKRUN, 0u);
  EXPECT_NE(FakeKernelProfile::Linux6_1().setup_flags & IORING_SETUP_DEFER_TASKRUN, 0u);
  EXPECT_EQ(FakeKernelProfile::Newest().features, 0x3ffffu);
  EXPECT_EQ(FakeKernelProfile::Newest().most_completions, 20u);
}

TEST(FakeKernelProfileTest, NothingGoesWrongUnlessItIsAskedFor) {
  FakeKernelOptions options;
  EXPECT_STREQ(options.profile.name, "newest");
  EXPECT_EQ(options.faults.enter_fails, 0u);
  EXPECT_EQ(options.faults.overflow, 0u);
  EXPECT_NE(FakeFaults::All().enter_fails, 0u);
  EXPECT_NE(FakeFaults::All().overflow, 0u);
}

}  // namespace
}  // namespace proactor
