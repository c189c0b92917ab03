// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/rw_lock.h"

#include <algorithm>
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
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/contention.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RwLockTest : public BackendTest {
 protected:
  Task<absl::Status> Read(std::string name) {
    ReadLock lock = co_await Try(lock_.LockToRead());
    order_.push_back(name);
    most_readers_ = std::max(most_readers_, lock_.readers());
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  }
  Task<absl::Status> Write(std::string name) {
    WriteLock lock = co_await Try(lock_.LockToWrite());
    order_.push_back(name);
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  }

  RwLock lock_;
  std::vector<std::string> order_;
  int64_t most_readers_ = 0;
};

TEST_P(RwLockTest, AFreeOneIsLockedWithoutATurn) {
  auto body = [&]() -> Task<absl::Status> {
    ReadLock first = co_await Try(lock_.LockToRead());
    ReadLock second = co_await Try(lock_.LockToRead());
    EXPECT_EQ(lock_.readers(), 2);
    EXPECT_FALSE(lock_.TryLockToWrite());
    EXPECT_TRUE(lock_.TryLockToRead());
    first.Unlock();
    second.Unlock();
    WriteLock alone = co_await Try(lock_.LockToWrite());
    EXPECT_TRUE(lock_.writing());
    EXPECT_EQ(lock_.readers(), 0);
    EXPECT_FALSE(lock_.TryLockToRead());
    alone.Unlock();
    EXPECT_TRUE(lock_.TryLockToWrite());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_FALSE(lock_.writing());
  EXPECT_EQ(counters().turns.value(), 1);
}

TEST_P(RwLockTest, AWriterIsNotOvertakenByLaterReaders) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    ReadLock lock = co_await Try(lock_.LockToRead());
    group.Spawn(Write("writer"));
    group.Spawn(Read("reader"));
    group.Spawn(Read("another"));
    group.Spawn(Write("last"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_FALSE(lock_.TryLockToRead()) << "a writer waits";
    EXPECT_THAT(order_, IsEmpty());
    lock.Unlock();
    EXPECT_TRUE(lock_.writing());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order_, ElementsAre("writer", "reader", "another", "last"));
  EXPECT_EQ(most_readers_, 2) << "those between two writers come together";
}

TEST_P(RwLockTest, ACancelledWriterLetsTheReadersBehindItIn) {
  Stoppable impatient;
  auto writer = [&]() -> Task<absl::Status> {
    absl::StatusOr<WriteLock> lock = co_await impatient.Await(lock_.LockToWrite());
    EXPECT_THAT(lock.status(), StatusIs(absl::StatusCode::kCancelled));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    ReadLock lock = co_await Try(lock_.LockToRead());
    group.Spawn(writer());
    group.Spawn(Read("reader"));
    group.Spawn(Read("another"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_EQ(lock_.readers(), 1);
    impatient.Stop();
    EXPECT_EQ(lock_.readers(), 3);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order_, ElementsAre("reader", "another"));
}

TEST_P(RwLockTest, InACancelledScopeNothingIsLocked) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel();
    absl::StatusOr<ReadLock> read = co_await lock_.LockToRead();
    EXPECT_THAT(read.status(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("a lock to read")));
    absl::StatusOr<WriteLock> write = co_await lock_.LockToWrite();
    EXPECT_THAT(write.status(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("a lock to write")));
    EXPECT_TRUE(lock_.TryLockToWrite());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

// Visitors who want 2 write, the others read.
absl::Status ReadAndWrite(Bench& bench, const std::vector<Visit>& visits, Contention& contention, int& most_readers) {
  RwLock rw_lock;
  int readers = 0;
  int writers = 0;
  auto visitor = [&](const Visit& visit) -> Task<absl::Status> {
    if (visit.wants == 2) {
      absl::StatusOr<WriteLock> lock = co_await contention.Want(visit, rw_lock.LockToWrite());
      if (!lock.ok()) co_return absl::OkStatus();
      EXPECT_EQ(++writers, 1);
      EXPECT_EQ(readers, 0);
      co_await Try(contention.Stay(visit));
      --writers;
    } else {
      absl::StatusOr<ReadLock> lock = co_await contention.Want(visit, rw_lock.LockToRead());
      if (!lock.ok()) co_return absl::OkStatus();
      most_readers = std::max(most_readers, ++readers);
      EXPECT_EQ(writers, 0);
      co_await Try(contention.Stay(visit));
      --readers;
    }
    co_return absl::OkStatus();
  };
  absl::Status status = bench.Run(contention.Meet(visits, visitor));
  EXPECT_TRUE(rw_lock.TryLockToWrite());
  return status;
}

TEST_P(RwLockTest, ACrowdIsServedInOrder) {
  Bench bench(GetParam());
  Contention contention;
  int most_readers = 0;
  for (uint64_t seed = 1; seed <= (simulated() ? 500 : 20) && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_THAT(ReadAndWrite(bench, CrowdFromSeed(seed, 2), contention, most_readers), IsOk());
  }
  EXPECT_GT(contention.served(), 20);
  EXPECT_GT(contention.interrupted(), 20);
  EXPECT_GT(most_readers, 2);
}

INSTANTIATE_ON_EVERY_BACKEND(RwLockTest);

TEST(RwLockMeetingTest, AtEveryMomentTheLockIsLostByNobody) {
  Bench bench(Backend::kSimulated);
  Contention contention;
  int most_readers = 0;
  ForEveryMeeting({1, 2}, [&](const std::vector<Visit>& visits) {
    EXPECT_THAT(ReadAndWrite(bench, visits, contention, most_readers), IsOk());
  });
  EXPECT_GT(contention.served(), 1000);
  EXPECT_GT(contention.interrupted(), 1000);
  EXPECT_EQ(most_readers, 3);
}

TEST(RwLockDumpTest, SaysWhoHoldsIt) {
  SimulatedWorld world;
  RwLock lock;
  auto reader = [&]() -> Task<absl::Status> {
    ReadLock mine = co_await Try(lock.LockToRead());
    co_return absl::OkStatus();
  };
  auto writer = [&]() -> Task<absl::Status> {
    WriteLock mine = co_await Try(lock.LockToWrite());
    co_return absl::OkStatus();
  };
  auto body = [&]() -> Task<absl::Status> {
    WriteLock write = co_await Try(lock.LockToWrite());
    world.scheduler().Spawn(reader(), "reader");
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(world.scheduler().Dump(), HasSubstr("a lock to read that "));
    EXPECT_THAT(world.scheduler().Dump(), HasSubstr(" has locked to write"));
    write.Unlock();
    co_await Try(Sleep(absl::Milliseconds(1)));
    ReadLock read = co_await Try(lock.LockToRead());
    world.scheduler().Spawn(writer(), "writer");
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(world.scheduler().Dump(), HasSubstr("a lock to write that is locked to read 1 times, the last time"));
    read.Unlock();
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(body()), IsOk());
}

TEST(RwLockGuardTest, CanBeMovedAndAssigned) {
  RwLock first, second;
  ReadLock lock = first.TryLockToRead();
  ReadLock moved = std::move(lock);
  EXPECT_FALSE(lock);
  EXPECT_EQ(first.readers(), 1);
  moved = second.TryLockToRead();
  EXPECT_EQ(first.readers(), 0) << "an assignment unlocks what was held before";
  EXPECT_EQ(second.readers(), 1);
  moved.Unlock();
  EXPECT_EQ(second.readers(), 0);
}

TEST(RwLockDeathTest, DestroyedWhileItIsLocked) {
  EXPECT_DEATH(
      {
        WriteLock lock;
        RwLock rw_lock;
        lock = rw_lock.TryLockToWrite();
      },
      "A RwLock was destroyed that .*DestroyedWhileItIsLocked.*rw_lock_test.cc:.* has locked to write");
}

TEST(RwLockDeathTest, UnlockedTwice) {
  EXPECT_DEATH(
      {
        RwLock rw_lock;
        ReadLock lock = rw_lock.TryLockToRead();
        lock.Unlock();
        lock.Unlock();
      },
      "UnlockedTwice.*rw_lock_test.cc:.* unlocks a guard of a RwLock that holds nothing");
}

}  // namespace
}  // namespace proactor
