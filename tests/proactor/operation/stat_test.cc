// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/stat.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class StatTest : public OperationTest {
 protected:
  struct statx facts_ = {};
};

TEST_P(StatTest, FillsInTheBasicFacts) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  ASSERT_THAT(Await(StatOp{.descriptor = file.get(), .facts = &facts_}), IsOk());
  EXPECT_EQ(facts_.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  EXPECT_TRUE(S_ISREG(facts_.stx_mode));
  EXPECT_EQ(facts_.stx_size, 10u);
  EXPECT_EQ(facts_.stx_nlink, 1u);
}

TEST_P(StatTest, KnowsPipesAndSockets) {
  PipeEnds pipe = MakePipe(system());
  ASSERT_THAT(Await(StatOp{.descriptor = pipe.reader.get(), .facts = &facts_}), IsOk());
  EXPECT_TRUE(S_ISFIFO(facts_.stx_mode));
  OwnedDescriptor socket = MakeSocket(system());
  ASSERT_THAT(Await(StatOp{.descriptor = socket.get(), .facts = &facts_}), IsOk());
  EXPECT_TRUE(S_ISSOCK(facts_.stx_mode));
}

TEST_P(StatTest, WhatIsNotOpenIsAnErrorAndLeavesTheFactsAlone) {
  OwnedDescriptor closed(system(), 12345, DescriptorKind::kOther);
  closed->closes = false;
  facts_.stx_size = 77;
  EXPECT_THAT(Await(StatOp{.descriptor = closed.get(), .facts = &facts_}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "statx: Bad file descriptor"));
  EXPECT_EQ(facts_.stx_size, 77u);
}

TEST_P(StatTest, ACancelledScopeAsksNobody) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  EXPECT_THAT(AwaitInCancelledScope(StatOp{.descriptor = file.get(), .facts = &facts_}),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(facts_.stx_size, 0u);
}

INSTANTIATE_ON_EVERY_BACKEND(StatTest);

}  // namespace
}  // namespace proactor
