// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/call.h"

#include <cerrno>

#include "gtest/gtest.h"
#include "proactor/operation/operation.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

struct Counted final : BlockingCall {
  void Call() override { ++calls; }
  int calls = 0;
};

class CallTest : public BackendTest {};

TEST_P(CallTest, CallsOnceWhereverItIsPerformed) {
  Counted counted;
  auto body = [&]() -> Task<absl::Status> {
    absl::Status status = co_await MakeOperation(CallOp{.call = &counted});
    co_return status;
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counted.calls, 1);
}

INSTANTIATE_ON_EVERY_BACKEND(CallTest);

TEST(CallOpTest, IsNotCalledOnAThreadThatMustNotBlock) {
  Counted counted;
  EXPECT_EQ(CallOp{.call = &counted}.Perform(System::NonBlocking()), -EOPNOTSUPP);
  EXPECT_EQ(counted.calls, 0);
}

}  // namespace
}  // namespace proactor
