// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_description.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace proactor {
namespace {

class Nothing final : public SimulatedDescription {
 public:
  int Read(char*, size_t, int64_t) override { return 0; }
  int Write(const char*, size_t size, int64_t) override { return static_cast<int>(size); }
  void Stat(struct statx&) const override {}
  std::string Describe() const override { return "nothing"; }
};

TEST(SimulatedDescriptionTest, WhatIsNoFileAndNoSocketSaysWhatLinuxSays) {
  Nothing nothing;
  EXPECT_EQ(nothing.Sync(), -EINVAL);
  EXPECT_EQ(nothing.Truncate(0), -EINVAL);
  EXPECT_EQ(nothing.socket(), nullptr);
  EXPECT_FALSE(nothing.Poll().has_value()) << "cannot be waited for";
}

}  // namespace
}  // namespace proactor
