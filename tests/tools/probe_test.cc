// SPDX-License-Identifier: Apache-2.0
#include "tools/probe.h"

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend_choice.h"

namespace tools {
namespace {

using ::testing::IsEmpty;

TEST(ProbeTest, LooksAround) {
  Probe probe = LookAround({.backend = proactor::BackendChoice::kEpoll});
  EXPECT_TRUE(probe.status.ok()) << probe.status;
  EXPECT_EQ(probe.capabilities.backend, "epoll");
  EXPECT_THAT(probe.calls, IsEmpty());
  EXPECT_GT(probe.first_completion, absl::ZeroDuration());
}

TEST(ProbeTest, FindsARestrictedRing) {
  EXPECT_FALSE(LookAround({}).capabilities.restricted);
  EXPECT_TRUE(LookAround({.restricted = true}).capabilities.restricted);
}

}  // namespace
}  // namespace tools
