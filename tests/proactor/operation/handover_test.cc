// SPDX-License-Identifier: Apache-2.0

// What users see of it is in tests/receive_test.cc: a stream takes what it has received to another scheduler.
#include "proactor/operation/handover.h"

#include <memory>

#include "gtest/gtest.h"
#include "proactor/operation/accept.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class HandoverTest : public OperationTest {
 protected:
  template <class F>
  void OnLoopOf(Bench& bench, F use) {
    auto body = [&]() -> Task<absl::Status> {
      const Context& context = co_await CurrentContext();
      use(*context.loop);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(body()), IsOk());
  }
};

TEST_P(HandoverTest, WhatIsNotArmedIsWhereItIsUsed) {
  Bench first(GetParam()), second(GetParam());
  Listener listener = MakeListener(first.system());
  AcceptQueue queue(*listener.descriptor.get());
  OnLoopOf(first, [&](Loop& loop) {
    EXPECT_FALSE(ComesFromElsewhere(queue, loop));
    EXPECT_EQ(queue.home, &loop);
  });
  OnLoopOf(second, [&](Loop& loop) {
    EXPECT_FALSE(ComesFromElsewhere(queue, loop));
    EXPECT_EQ(queue.home, &loop);
  });
  EXPECT_FALSE(queue.moving);
}

INSTANTIATE_ON_EVERY_BACKEND(HandoverTest);

}  // namespace
}  // namespace proactor
