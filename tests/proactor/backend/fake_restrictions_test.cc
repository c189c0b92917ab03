// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_restrictions.h"

#include <cerrno>
#include <vector>

#include "gtest/gtest.h"

namespace proactor {
namespace {

io_uring_restriction Allowing(unsigned kind, uint8_t what) {
  io_uring_restriction restriction = {};
  restriction.opcode = static_cast<uint16_t>(kind);
  restriction.sqe_op = what;  // The same byte for each kind.
  return restriction;
}

io_uring_sqe Entry(uint8_t opcode, uint8_t flags = 0) {
  io_uring_sqe entry = {};
  entry.opcode = opcode;
  entry.flags = flags;
  return entry;
}

TEST(FakeRestrictionsTest, HoldFromTheMomentOnThatTheRingIsEnabled) {
  FakeRestrictions restrictions(FakeKernelProfile::Newest());
  std::vector<io_uring_restriction> list = {Allowing(IORING_RESTRICTION_SQE_OP, IORING_OP_NOP),
                                            Allowing(IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_PROBE)};
  EXPECT_EQ(restrictions.Register(list), 0);
  EXPECT_TRUE(restrictions.Allow(Entry(IORING_OP_READ)));
  EXPECT_TRUE(restrictions.AllowRegistration(IORING_REGISTER_FILES));
  restrictions.Enforce();
  EXPECT_TRUE(restrictions.Allow(Entry(IORING_OP_NOP)));
  EXPECT_FALSE(restrictions.Allow(Entry(IORING_OP_READ)));
  EXPECT_FALSE(restrictions.Allow(Entry(IORING_OP_NOP, IOSQE_ASYNC)));
  EXPECT_TRUE(restrictions.AllowRegistration(IORING_REGISTER_PROBE));
  EXPECT_FALSE(restrictions.AllowRegistration(IORING_REGISTER_FILES));
}

TEST(FakeRestrictionsTest, WithoutAnyEverythingIsAllowed) {
  FakeRestrictions restrictions(FakeKernelProfile::Newest());
  restrictions.Enforce();
  EXPECT_TRUE(restrictions.Allow(Entry(IORING_OP_READ, IOSQE_ASYNC)));
  EXPECT_TRUE(restrictions.AllowRegistration(IORING_REGISTER_FILES));
}

TEST(FakeRestrictionsTest, FlagsAreAllowedOrRequired) {
  FakeRestrictions restrictions(FakeKernelProfile::Newest());
  std::vector<io_uring_restriction> list = {Allowing(IORING_RESTRICTION_SQE_OP, IORING_OP_NOP),
                                            Allowing(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, IOSQE_ASYNC),
                                            Allowing(IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IOSQE_FIXED_FILE)};
  EXPECT_EQ(restrictions.Register(list), 0);
  restrictions.Enforce();
  EXPECT_TRUE(restrictions.Allow(Entry(IORING_OP_NOP, IOSQE_FIXED_FILE)));
  EXPECT_TRUE(restrictions.Allow(Entry(IORING_OP_NOP, IOSQE_FIXED_FILE | IOSQE_ASYNC)));
  EXPECT_FALSE(restrictions.Allow(Entry(IORING_OP_NOP, IOSQE_ASYNC)));
  EXPECT_FALSE(restrictions.Allow(Entry(IORING_OP_NOP, IOSQE_FIXED_FILE | IOSQE_IO_LINK)));
}

TEST(FakeRestrictionsTest, AreRegisteredOnceAndOnlyIfTheyMakeSense) {
  FakeRestrictions restrictions(FakeKernelProfile::Linux5_15());
  for (const io_uring_restriction& wrong : {Allowing(IORING_RESTRICTION_SQE_OP, IORING_OP_SOCKET),
                                            Allowing(IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_RING_FDS),
                                            Allowing(IORING_RESTRICTION_LAST, 0)}) {
    EXPECT_EQ(restrictions.Register({&wrong, 1}), -EINVAL);
  }
  std::vector<io_uring_restriction> list = {Allowing(IORING_RESTRICTION_SQE_OP, IORING_OP_NOP)};
  EXPECT_EQ(restrictions.Register(list), 0);
  EXPECT_EQ(restrictions.Register(list), -EBUSY);
}

}  // namespace
}  // namespace proactor
