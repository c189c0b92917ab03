// SPDX-License-Identifier: Apache-2.0

// What streams do with it is in tests/receive_test.cc.
#include "proactor/buffer_pool.h"

#include <string>

#include "gtest/gtest.h"
#include "proactor/net/tcp.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

Task<absl::Status> ReceiveOne(BufferPool& pool) {
  Connection connection = co_await Try(Connect());
  co_await Try(connection.client.WriteAll("x"));
  Buffer chunk = co_await Try(connection.server.Receive(pool));
  EXPECT_EQ(chunk.view(), "x");
  EXPECT_EQ(pool.usage().on_loan, 1);
  co_return absl::OkStatus();
}

class BufferPoolTest : public BackendTest {};

TEST_P(BufferPoolTest, OneThatIsNotUsedTakesNoMemory) {
  BufferPool pool;
  EXPECT_EQ(pool.usage().bytes, 0u);
  EXPECT_EQ(pool.Dump(), "");
  EXPECT_THAT(Run(ReceiveOne(pool)), IsOk());
  EXPECT_GT(pool.usage().bytes, 0u);
  EXPECT_EQ(pool.usage().on_loan, 0);
}

TEST_P(BufferPoolTest, MayOutliveItsScheduler) {
  BufferPool pool;
  {
    Bench bench(GetParam());
    EXPECT_THAT(bench.Run(ReceiveOne(pool)), IsOk());
  }
  EXPECT_EQ(pool.usage().received, 0);
}

TEST_P(BufferPoolTest, MayEndBeforeTheStreamsThatReceivedIntoIt) {
  auto body = []() -> Task<absl::Status> {
    Connection connection = co_await Try(Connect());
    {
      BufferPool pool;
      co_await Try(connection.client.WriteAll("1"));
      Buffer chunk = co_await Try(connection.server.Receive(pool));
      EXPECT_EQ(chunk.view(), "1");
    }
    co_await Try(connection.client.WriteAll("2"));
    BufferPool pool;
    Buffer chunk = co_await Try(connection.server.Receive(pool));
    EXPECT_EQ(chunk.view(), "2");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

using BufferPoolDeathTest = BufferPoolTest;

TEST_P(BufferPoolDeathTest, BelongsToOneScheduler) {
  BufferPool pool;
  EXPECT_THAT(Run(ReceiveOne(pool)), IsOk());
  EXPECT_DEATH(
      {
        Bench bench(GetParam());
        bench.Run(ReceiveOne(pool)).IgnoreError();
      },
      "A BufferPool was used by two schedulers");
}

INSTANTIATE_ON_EVERY_BACKEND(BufferPoolTest);
INSTANTIATE_ON_BACKENDS(BufferPoolDeathTest, ::testing::Values(Backend::kSimulated));

}  // namespace
}  // namespace proactor
