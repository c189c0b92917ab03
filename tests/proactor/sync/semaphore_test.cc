// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/semaphore.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/sync/event.h"
#include "proactor/sync/select.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/contention.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SemaphoreTest : public BackendTest {
 protected:
  // Waits for permits, notes its name, uses them up.
  Task<absl::Status> Use(std::string name, int64_t count, absl::Duration patience = absl::InfiniteDuration()) {
    absl::StatusOr<Permit> permit = co_await WithTimeout(patience, semaphore_.Acquire(count));
    ended_.push_back(name + (permit.ok() ? "" : " " + absl::StatusCodeToString(permit.status().code())));
    if (permit.ok()) permit->Keep();
    co_return absl::OkStatus();
  }

  Semaphore semaphore_{0};
  std::vector<std::string> ended_;
};

TEST_P(SemaphoreTest, NoMoreAtATimeThanThereArePermits) {
  Semaphore semaphore(3);
  int busy = 0;
  int most = 0;
  auto work = [&]() -> Task<absl::Status> {
    Permit permit = co_await Try(semaphore.Acquire());
    most = std::max(most, ++busy);
    co_await Try(Sleep(absl::Milliseconds(1)));
    --busy;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) group.Spawn(work());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(most, 3);
  EXPECT_EQ(semaphore.available(), 3);
}

TEST_P(SemaphoreTest, WhatIsThereIsTakenWithoutATurn) {
  Semaphore semaphore(5);
  auto body = [&]() -> Task<absl::Status> {
    Permit two = co_await Try(semaphore.Acquire(2));
    Permit three = co_await Try(semaphore.Acquire(3));
    EXPECT_EQ(two.count(), 2);
    EXPECT_EQ(semaphore.available(), 0);
    EXPECT_FALSE(semaphore.TryAcquire());
    two.Release();
    EXPECT_FALSE(two);
    EXPECT_EQ(semaphore.available(), 2);
    Permit one = semaphore.TryAcquire();
    EXPECT_TRUE(one);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(semaphore.available(), 5);
  EXPECT_EQ(counters().turns.value(), 1);
}

TEST_P(SemaphoreTest, WhoWantsManyIsNotOvertaken) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Use("many", 3));
    group.Spawn(Use("few", 1));
    co_await Try(Sleep(absl::Milliseconds(1)));
    semaphore_.Release(2);
    EXPECT_FALSE(semaphore_.TryAcquire()) << "others are first";
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(ended_, IsEmpty());
    semaphore_.Release(2);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("many", "few"));
  EXPECT_EQ(semaphore_.available(), 0);
}

TEST_P(SemaphoreTest, WhenTheFirstIsCancelledThoseBehindItWhoAreDueGoOn) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Use("many", 5, absl::Milliseconds(3)));
    group.Spawn(Use("one", 1));
    group.Spawn(Use("two", 2));
    group.Spawn(Use("four", 4));
    co_await Try(Sleep(absl::Milliseconds(1)));
    semaphore_.Release(4);
    while (ended_.size() < 3) co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(ended_, ElementsAre("many DEADLINE_EXCEEDED", "one", "two"));
    EXPECT_EQ(semaphore_.available(), 1);
    semaphore_.Release(3);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("many DEADLINE_EXCEEDED", "one", "two", "four"));
}

TEST_P(SemaphoreTest, WhenTheFirstChoosesSomethingElseThoseBehindItGoOn) {
  Event event;
  auto chooser = [&]() -> Task<absl::Status> {
    auto chosen = co_await Try(Select(semaphore_.Acquire(5), semaphore_.Acquire(4), event.Wait()));
    EXPECT_EQ(chosen.index(), 2u);
    ended_.push_back("chooser");
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(chooser());
    group.Spawn(Use("one", 1));
    group.Spawn(Use("two", 2));
    co_await Try(Sleep(absl::Milliseconds(1)));
    semaphore_.Release(3);
    EXPECT_EQ(semaphore_.available(), 3);
    event.Set();
    EXPECT_EQ(semaphore_.available(), 0);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(ended_.size(), 3u);
}

TEST_P(SemaphoreTest, WhoIsCancelledAfterTheHandOverHasThePermits) {
  Semaphore semaphore(0);
  auto waiter = [&]() -> Task<absl::Status> {
    absl::StatusOr<Permit> permit = co_await semaphore.Acquire(2);
    EXPECT_THAT(permit.status(), IsOk());
    EXPECT_EQ(semaphore.available(), 1);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(waiter());
    co_await Try(Sleep(absl::Milliseconds(1)));
    semaphore.Release(3);
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(semaphore.available(), 3);
}

TEST_P(SemaphoreTest, InACancelledScopeNothingIsTaken) {
  Semaphore semaphore(1);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::StatusOr<Permit> permit = co_await semaphore.Acquire();
    EXPECT_THAT(permit.status(),
                StatusIs(absl::StatusCode::kCancelled, HasSubstr("1 of a semaphore's permits, of which 1 are left")));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(semaphore.available(), 1);
}

TEST_P(SemaphoreTest, CancellingTenThousandWaitersTakesOneTurn) {
  constexpr int kWaiters = 10000;
  int64_t turns = 0;
  int started = 0;
  int ended = 0;
  auto waiter = [&]() -> Task<absl::Status> {
    ++started;
    absl::StatusOr<Permit> permit = co_await semaphore_.Acquire();
    if (absl::IsCancelled(permit.status())) ++ended;
    co_return absl::OkStatus();
  };
  auto outer = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kWaiters; ++i) group.Spawn(waiter());
    while (started < kWaiters) co_await Try(Sleep(absl::ZeroDuration()));
    EXPECT_EQ(ended, 0);
    group.Cancel();
    turns = counters().turns.value();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(outer)), IsOk());
  EXPECT_EQ(ended, kWaiters);
  // A turn resumes at most 256, and waits for nothing while there are more.
  EXPECT_LE(counters().turns.value() - turns, 2 * kWaiters / 256 + 2);
}

// At most as many permits are held as there are, and in the end all are back.
absl::Status ShareOut(Bench& bench, const std::vector<Visit>& visits, int64_t permits, Contention& contention) {
  Semaphore semaphore(permits);
  int64_t held = 0;
  auto visitor = [&](const Visit& visit) -> Task<absl::Status> {
    absl::StatusOr<Permit> permit = co_await contention.Want(visit, semaphore.Acquire(visit.wants));
    if (!permit.ok()) co_return absl::OkStatus();
    held += permit->count();
    EXPECT_LE(held, permits);
    co_await Try(contention.Stay(visit));
    held -= permit->count();
    co_return absl::OkStatus();
  };
  absl::Status status = bench.Run(contention.Meet(visits, visitor));
  EXPECT_EQ(semaphore.available(), permits);
  return status;
}

TEST_P(SemaphoreTest, ACrowdIsServedInOrderAndNoPermitIsLost) {
  Bench bench(GetParam());
  Contention contention;
  for (uint64_t seed = 1; seed <= (simulated() ? 500 : 20) && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_THAT(ShareOut(bench, CrowdFromSeed(seed, 4), 4, contention), IsOk());
  }
  EXPECT_GT(contention.served(), 20);
  EXPECT_GT(contention.interrupted(), 20);
}

INSTANTIATE_ON_EVERY_BACKEND(SemaphoreTest);

TEST(SemaphoreMeetingTest, AtEveryMomentNoPermitIsLost) {
  Bench bench(Backend::kSimulated);
  Contention contention;
  ForEveryMeeting(
      {1, 2}, [&](const std::vector<Visit>& visits) { EXPECT_THAT(ShareOut(bench, visits, 2, contention), IsOk()); });
  EXPECT_GT(contention.served(), 1000);
  EXPECT_GT(contention.interrupted(), 1000);
}

TEST(PermitTest, CanBeMovedAssignedAndKept) {
  Semaphore semaphore(10);
  Permit three = semaphore.TryAcquire(3);
  Permit moved = std::move(three);
  EXPECT_FALSE(three);
  EXPECT_EQ(three.count(), 0);
  EXPECT_EQ(semaphore.available(), 7);
  moved = semaphore.TryAcquire(2);
  EXPECT_EQ(semaphore.available(), 8) << "an assignment gives back what was held before";
  EXPECT_EQ(moved.Keep(), 2);
  EXPECT_FALSE(moved);
  EXPECT_EQ(moved.Keep(), 0);
  EXPECT_EQ(semaphore.available(), 8);
  semaphore.Release(2);
  EXPECT_EQ(semaphore.available(), 10);
}

TEST(SemaphoreDeathTest, DestroyedWhilePermitsAreHeld) {
  EXPECT_DEATH(
      {
        Permit permit;
        Semaphore semaphore(5);
        permit = semaphore.TryAcquire(2);
      },
      "A Semaphore was destroyed while 2 of its permits are held");
}

TEST(SemaphoreDeathTest, ANumberBelowZero) {
  EXPECT_DEATH(Semaphore(-1), "permits is below zero");
  Semaphore semaphore(1);
  EXPECT_DEATH(semaphore.Release(-1), "permits is below zero");
  EXPECT_DEATH(static_cast<void>(semaphore.TryAcquire(-1)), "permits is below zero");
}

TEST(SemaphoreDeathTest, GivenBackTwice) {
  Semaphore semaphore(1);
  EXPECT_DEATH(
      {
        Permit permit = semaphore.TryAcquire();
        permit.Release();
        permit.Release();
      },
      "GivenBackTwice.*semaphore_test.cc:.* gives back a Permit that holds nothing");
}

}  // namespace
}  // namespace proactor
