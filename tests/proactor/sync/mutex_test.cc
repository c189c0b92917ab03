// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/mutex.h"

#include <gtest/gtest-spi.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
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

class MutexTest : public BackendTest {
 protected:
  // Locks, notes its name, holds on for a moment.
  Task<absl::Status> Hold(std::string name) {
    MutexLock lock = co_await Try(mutex_.Lock());
    order_.push_back(name);
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  }

  Mutex mutex_;
  std::vector<std::string> order_;
};

TEST_P(MutexTest, AFreeOneIsLockedWithoutATurn) {
  auto body = [&]() -> Task<absl::Status> {
    EXPECT_FALSE(mutex_.locked());
    MutexLock lock = co_await Try(mutex_.Lock());
    EXPECT_TRUE(lock);
    EXPECT_TRUE(mutex_.locked());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_FALSE(mutex_.locked());
  EXPECT_EQ(counters().turns.value(), 1);
}

TEST_P(MutexTest, OneAtATimeInTheOrderInWhichTheyCame) {
  int holders = 0;
  auto hold = [&](std::string name) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    EXPECT_EQ(++holders, 1);
    order_.push_back(name);
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_EQ(--holders, 0);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (std::string name : {"a", "b", "c", "d"}) group.Spawn(hold(name));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order_, ElementsAre("a", "b", "c", "d"));
  EXPECT_FALSE(mutex_.locked());
}

TEST_P(MutexTest, WhoUnlocksDoesNotOvertakeWhoWaits) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    group.Spawn(Hold("waiter"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    lock.Unlock();
    EXPECT_FALSE(lock);
    EXPECT_TRUE(mutex_.locked()) << "handed over, though the new holder has not run yet";
    EXPECT_FALSE(mutex_.TryLock());
    lock = co_await Try(mutex_.Lock());
    order_.push_back("again");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order_, ElementsAre("waiter", "again"));
}

TEST_P(MutexTest, ACancelledWaiterLeavesItsTurnToTheNext) {
  bool gave_up = false;
  auto impatient = [&]() -> Task<absl::Status> {
    absl::StatusOr<MutexLock> lock = co_await WithTimeout(absl::Milliseconds(1), mutex_.Lock());
    EXPECT_THAT(lock.status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
    gave_up = true;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    group.Spawn(impatient());
    group.Spawn(Hold("next"));
    while (!gave_up) co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(order_, IsEmpty());
    lock.Unlock();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order_, ElementsAre("next"));
  EXPECT_FALSE(mutex_.locked());
}

TEST_P(MutexTest, WhoHasBeenGivenTheLockHasItThoughCancelled) {
  auto waiter = [&]() -> Task<absl::Status> {
    absl::StatusOr<MutexLock> lock = co_await mutex_.Lock();
    EXPECT_THAT(lock.status(), IsOk());
    order_.push_back("waiter");
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    group.Spawn(waiter());
    co_await Try(Sleep(absl::Milliseconds(1)));
    lock.Unlock();
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order_, ElementsAre("waiter"));
  EXPECT_FALSE(mutex_.locked());
}

TEST_P(MutexTest, InACancelledScopeNothingIsLocked) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::StatusOr<MutexLock> lock = co_await mutex_.Lock();
    EXPECT_THAT(lock.status(), StatusIs(absl::StatusCode::kCancelled));
    EXPECT_FALSE(mutex_.locked());
    absl::StatusOr<MutexLock> shielded = co_await Shield(mutex_.Lock());
    EXPECT_THAT(shielded.status(), IsOk());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(MutexTest, AFailureUnlocks) {
  auto failing = [&]() -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    co_await Try(absl::DataLossError("on the way"));
    co_return absl::OkStatus();
  };
  absl::Status status = Run(failing());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(mutex_.locked());
}

TEST_P(MutexTest, LockingOftenGivesTheOthersATurn) {
  bool done = false;
  int rounds = 0;
  auto other = [&]() -> Task<absl::Status> {
    done = true;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(other());
    for (; !done && rounds < 10000; ++rounds) MutexLock lock = co_await Try(mutex_.Lock());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_LT(rounds, 1000);
}

TEST_P(MutexTest, ACrowdIsServedInOrderAndOneAtATime) {
  Bench bench(GetParam());
  int served = 0;
  int interrupted = 0;
  for (uint64_t seed = 1; seed <= (simulated() ? 500 : 20) && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Mutex mutex;
    Contention contention;
    int holders = 0;
    auto visitor = [&](const Visit& visit) -> Task<absl::Status> {
      absl::StatusOr<MutexLock> lock = co_await contention.Want(visit, mutex.Lock());
      if (!lock.ok()) co_return absl::OkStatus();
      EXPECT_EQ(++holders, 1);
      co_await Try(contention.Stay(visit));
      EXPECT_EQ(--holders, 0);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench.Run(contention.Meet(CrowdFromSeed(seed), visitor)), IsOk());
    EXPECT_FALSE(mutex.locked());
    served += contention.served();
    interrupted += contention.interrupted();
  }
  EXPECT_GT(served, 20);
  EXPECT_GT(interrupted, 20);
}

INSTANTIATE_ON_EVERY_BACKEND(MutexTest);

TEST(MutexMeetingTest, AtEveryMomentTheLockIsLostByNobody) {
  int served = 0;
  int interrupted = 0;
  SimulatedWorld world;
  ForEveryMeeting({1}, [&](const std::vector<Visit>& visits) {
    Mutex mutex;
    Contention contention;
    int holders = 0;
    auto visitor = [&](const Visit& visit) -> Task<absl::Status> {
      absl::StatusOr<MutexLock> lock = co_await contention.Want(visit, mutex.Lock());
      if (!lock.ok()) co_return absl::OkStatus();
      EXPECT_EQ(++holders, 1);
      co_await Try(contention.Stay(visit));
      EXPECT_EQ(--holders, 0);
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world.Run(contention.Meet(visits, visitor)), IsOk());
    EXPECT_FALSE(mutex.locked());
    served += contention.served();
    interrupted += contention.interrupted();
  });
  EXPECT_GT(served, 1000);
  EXPECT_GT(interrupted, 1000);
}

TEST(MutexLockTest, CanBeMovedAndAssigned) {
  Mutex first, second;
  MutexLock lock = first.TryLock();
  EXPECT_TRUE(lock);
  MutexLock moved = std::move(lock);
  EXPECT_FALSE(lock);
  EXPECT_TRUE(first.locked());
  moved = second.TryLock();
  EXPECT_FALSE(first.locked()) << "an assignment unlocks what was held before";
  EXPECT_TRUE(second.locked());
  moved.Unlock();
  EXPECT_FALSE(second.locked());
  EXPECT_FALSE(MutexLock());
}

Task<absl::Status> LockTwice(Mutex& mutex) {
  MutexLock lock = co_await Try(mutex.Lock());
  MutexLock again = co_await Try(mutex.Lock());
  co_return absl::OkStatus();
}

TEST(MutexDumpTest, LockingTwiceIsADeadlockThatNamesBothPlaces) {
  SimulatedWorld world;
  Mutex mutex;
  absl::Status status;
  EXPECT_NONFATAL_FAILURE(status = world.Run(LockTwice(mutex)), "waits for a mutex that ");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, HasSubstr("LockTwice (mutex_test.cc:")));
}

TEST(MutexDumpTest, AfterAHandOverTheNewHolderIsNamed) {
  SimulatedWorld world;
  Mutex mutex;
  auto hold = [](Mutex& held) -> Task<absl::Status> {
    MutexLock lock = co_await Try(held.Lock());
    co_await Try(Sleep(absl::Hours(1)));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex.Lock());
    group.Spawn(hold(mutex));
    co_await Try(Sleep(absl::Milliseconds(1)));
    lock.Unlock();
    co_return co_await WithTimeout(absl::Milliseconds(1), LockTwice(mutex));
  };
  absl::Status status = world.Run(WithTaskGroup(body));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(MutexDeathTest, DestroyedWhileItIsLocked) {
  EXPECT_DEATH(
      {
        MutexLock lock;
        Mutex mutex;
        lock = mutex.TryLock();
      },
      "A Mutex was destroyed that .*DestroyedWhileItIsLocked.*mutex_test.cc:.* has locked: it must outlive");
}

TEST(MutexDeathTest, UnlockedTwice) {
  EXPECT_DEATH(
      {
        Mutex mutex;
        MutexLock lock = mutex.TryLock();
        lock.Unlock();
        lock.Unlock();
      },
      "UnlockedTwice.*mutex_test.cc:.* unlocks a MutexLock that holds nothing");
}

}  // namespace
}  // namespace proactor
