// SPDX-License-Identifier: Apache-2.0
#include "proactor/context.h"

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/proactor.h"
#include "proactor/promise.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

Task<Context> Own() {
  const Context& context = co_await CurrentContext();
  co_return context;
}

TEST(ContextTest, FlowsDownTheChainOfAwaits) {
  SimulatedWorld world;
  auto body = []() -> Task<absl::Status> {
    Context own = co_await CurrentContext();
    Context childs = co_await Own();
    EXPECT_EQ(childs.loop, own.loop);
    EXPECT_EQ(childs.scope, own.scope);
    EXPECT_EQ(childs.task, own.task);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(body()), IsOk());
}

TEST(ContextTest, ATimeoutChangesTheScopeOnly) {
  SimulatedWorld world;
  auto body = []() -> Task<absl::Status> {
    Context own = co_await CurrentContext();
    Context limited = co_await Try(WithTimeout(absl::Seconds(1), Own()));
    Context shielded = co_await Shield(Own());
    for (const Context& inner : {limited, shielded}) {
      EXPECT_EQ(inner.loop, own.loop);
      EXPECT_NE(inner.scope, own.scope);
      EXPECT_EQ(inner.task, own.task);
    }
    Context after = co_await CurrentContext();
    EXPECT_EQ(after.scope, own.scope) << "the scope has been left";
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(body()), IsOk());
}

TEST(ContextTest, ASpawnedTaskHasItsOwnIdentityInTheGroupsScope) {
  SimulatedWorld world;
  Context outer, group_body, child;
  auto take = [&]() -> Task<absl::Status> {
    child = co_await Own();
    co_return absl::OkStatus();
  };
  auto spawn = [&](TaskGroup& group) -> Task<absl::Status> {
    group_body = co_await Own();
    group.Spawn(take());
    co_return absl::OkStatus();
  };
  auto body = [&]() -> Task<absl::Status> {
    outer = co_await Own();
    co_return co_await WithTaskGroup(spawn);
  };
  EXPECT_THAT(world.Run(body()), IsOk());
  EXPECT_NE(group_body.scope, outer.scope);
  EXPECT_EQ(child.scope, group_body.scope);
  EXPECT_NE(child.task, group_body.task);
  EXPECT_EQ(child.loop, outer.loop);
}

// Each scheduler has a loop of its own, though they share a thread.
TEST(ContextTest, KnowsTheLoopThatRunsIt) {
  SimulatedWorld first, second;
  Context in_first = first.Run(Own());
  Context in_second = second.Run(Own());
  EXPECT_NE(in_first.loop, in_second.loop);
  EXPECT_EQ(&in_first.loop->proactor, &first.scheduler().proactor());
  EXPECT_EQ(&in_first.loop->clock, &first.scheduler().proactor());
  EXPECT_EQ(&in_first.loop->counters, &first.scheduler().counters());
}

}  // namespace
}  // namespace proactor
