// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/event.h"

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EventTest : public BackendTest {};

TEST_P(EventTest, ASetOneIsNotWaitedFor) {
  Event event;
  event.Set();
  auto body = [&]() -> Task<absl::Status> { co_return co_await event.Wait(); };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(counters().turns.value(), 1);
}

TEST_P(EventTest, SetWakesAllInTheOrderInWhichTheyCame) {
  Event event;
  std::vector<int> order;
  auto waiter = [&](int id) -> Task<absl::Status> {
    co_await Try(event.Wait());
    order.push_back(id);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int id : {1, 2, 3}) group.Spawn(waiter(id));
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(order, IsEmpty());
    event.Set();
    EXPECT_THAT(order, IsEmpty()) << "setting only makes ready";
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_P(EventTest, ResetConcernsLaterWaitsOnly) {
  Event event;
  absl::Status early, late;
  auto wait = [&](absl::Status& status, absl::Duration timeout) -> Task<absl::Status> {
    status = co_await WithTimeout(timeout, event.Wait());
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(wait(early, absl::InfiniteDuration()));
    co_await Try(Sleep(absl::Milliseconds(1)));
    event.Set();
    event.Reset();
    EXPECT_FALSE(event.is_set());
    group.Spawn(wait(late, absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(early, IsOk());
  EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_P(EventTest, ACancelledWaitSaysWhatItWaitedFor) {
  Event event;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::Status status = co_await event.Wait();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, HasSubstr("an event")));
    // Like every operation, also when what it asks for is there.
    event.Set();
    status = co_await event.Wait();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(EventTest);

}  // namespace
}  // namespace proactor
