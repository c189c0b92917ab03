// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/condition.h"

#include <deque>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/sync/mutex.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"
#include "tests/support/contention.h"
#include "tests/support/event_orders.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConditionTest : public BackendTest {
 protected:
  // Waits for a notification, and notes how that ended. The mutex must be locked then in any case.
  Task<absl::Status> Await(std::string name, Stoppable* stoppable = nullptr) {
    MutexLock lock = co_await Try(mutex_.Lock());
    absl::Status status;
    if (stoppable != nullptr) {
      status = co_await stoppable->Await(condition_.Wait(lock));
    } else {
      status = co_await condition_.Wait(lock);
    }
    EXPECT_TRUE(mutex_.locked());
    EXPECT_EQ(++holders_, 1);
    ended_.push_back(name + (status.ok() ? "" : " " + absl::StatusCodeToString(status.code())));
    co_await LetOthersRun();
    --holders_;
    co_return absl::OkStatus();
  }

  Mutex mutex_;
  Condition condition_;
  int holders_ = 0;
  std::vector<std::string> ended_;
};

TEST_P(ConditionTest, ANotificationIsForWhoHasWaitedLongest) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (std::string name : {"a", "b", "c", "d"}) group.Spawn(Await(name));
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_FALSE(mutex_.locked());
    condition_.NotifyOne();
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(ended_, ElementsAre("a"));
    condition_.NotifyAll();
    co_await group.Join();
    condition_.NotifyOne();  // Nobody waits: it is gone.
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("a", "b", "c", "d"));
  EXPECT_FALSE(mutex_.locked());
}

TEST_P(ConditionTest, WhoIsNotifiedStandsInLineForTheMutex) {
  auto late = [&]() -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    ended_.push_back("late");
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Await("waiter"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    MutexLock lock = co_await Try(mutex_.Lock());
    condition_.NotifyOne();
    group.Spawn(late());
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(ended_, IsEmpty()) << "the notifier still holds the mutex";
    lock.Unlock();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("waiter", "late"));
}

TEST_P(ConditionTest, ACancelledWaitEndsWithTheMutexLocked) {
  Stoppable impatient;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Await("impatient", &impatient));
    co_await Try(Sleep(absl::Milliseconds(1)));
    MutexLock lock = co_await Try(mutex_.Lock());
    impatient.Stop();
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_THAT(ended_, IsEmpty()) << "it waits for the mutex, where no cancellation reaches it";
    lock.Unlock();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("impatient CANCELLED"));
  EXPECT_FALSE(mutex_.locked());
}

TEST_P(ConditionTest, ACancelledWaiterLeavesTheNotificationToTheNext) {
  Stoppable impatient;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Await("impatient", &impatient));
    group.Spawn(Await("next"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    MutexLock lock = co_await Try(mutex_.Lock());
    impatient.Stop();
    condition_.NotifyOne();  // The first is cancelled, though it has not ended yet.
    lock.Unlock();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("impatient CANCELLED", "next"));
}

TEST_P(ConditionTest, WhoHasBeenNotifiedIsNotCancelledAnyMore) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Await("waiter"));
    co_await Try(Sleep(absl::Milliseconds(1)));
    MutexLock lock = co_await Try(mutex_.Lock());
    condition_.NotifyOne();
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(ended_, ElementsAre("waiter"));
}

TEST_P(ConditionTest, InACancelledScopeItKeepsTheMutexAndDoesNotWait) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    group.Cancel();
    absl::Status plain = co_await condition_.Wait(lock);
    EXPECT_THAT(plain, StatusIs(absl::StatusCode::kCancelled, HasSubstr("a condition")));
    absl::Status fulfilled = co_await condition_.Wait(lock, [] { return true; });
    EXPECT_THAT(fulfilled, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_TRUE(mutex_.locked());
    lock.Unlock();
    EXPECT_FALSE(mutex_.locked());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(ConditionTest, WaitsUntilThePredicateHolds) {
  int level = 0;
  int calls = 0;
  auto waiter = [&]() -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex_.Lock());
    co_await Try(condition_.Wait(lock, [&] { return ++calls, level >= 2; }));
    EXPECT_EQ(level, 2);
    auto named = [&, text = std::string("a capture that needs a destructor")] { return level >= 2 && !text.empty(); };
    co_await Try(condition_.Wait(lock, named));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(waiter());
    for (int i = 0; i < 2; ++i) {
      co_await Try(Sleep(absl::Milliseconds(1)));
      MutexLock lock = co_await Try(mutex_.Lock());
      ++level;
      condition_.NotifyOne();
    }
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(calls, 3);
}

TEST_P(ConditionTest, APredicateMayCancelItsScope) {
  for (int last : {1, 2}) {
    int calls = 0;
    absl::Status waited;
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      auto notify = [&]() -> Task<absl::Status> {
        co_await Try(Sleep(absl::Milliseconds(1)));
        condition_.NotifyOne();
        co_return absl::OkStatus();
      };
      auto give_up = [&] {
        if (++calls == last) group.Cancel();
        return false;
      };
      group.Spawn(notify());
      MutexLock lock = co_await Try(mutex_.Lock());
      waited = co_await condition_.Wait(lock, give_up);
      EXPECT_TRUE(mutex_.locked());
      co_await group.Join();
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    EXPECT_THAT(waited, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(calls, last);
  }
}

TEST_P(ConditionTest, ATimeoutWithAPredicateThatNeverHolds) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto nag = [&]() -> Task<absl::Status> {
      for (int i = 0; i < 5; ++i) {
        co_await Try(Sleep(absl::Milliseconds(1)));
        condition_.NotifyAll();
      }
      co_return absl::OkStatus();
    };
    group.Spawn(nag());
    MutexLock lock = co_await Try(mutex_.Lock());
    absl::Status status = co_await WithTimeout(absl::Milliseconds(3), condition_.Wait(lock, [] { return false; }));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_TRUE(mutex_.locked());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

// Makers and users of items, some of whom give up: no item stays while somebody waits for one.
absl::Status MakeAndUse(Bench& bench, const std::vector<Visit>& visits, int& used, int& gave_up) {
  Mutex mutex;
  Condition filled;
  std::deque<int> items;
  int holders = 0;
  int waiting = 0;
  auto use = [&](const Visit& visit) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex.Lock());
    EXPECT_EQ(++holders, 1);
    ++waiting;
    auto some = [&] { return !items.empty(); };
    // While it waits, others hold the mutex.
    --holders;
    CancelScope scope(co_await CurrentContext());
    if (visit.interruption != Interruption::kNone) scope.SetTimeout(absl::Microseconds(visit.patience));
    absl::Status status = co_await internal::InScope(scope, filled.Wait(lock, some));
    EXPECT_EQ(++holders, 1);
    --waiting;
    ++(status.ok() ? used : gave_up);
    if (status.ok()) items.pop_front();
    co_await Try(Contention::Stay(visit));
    --holders;
    co_return absl::OkStatus();
  };
  Contention users;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(users.Meet(visits, use));
    for (int i = 0; group.running() > 0; ++i) {
      co_await Try(Sleep(absl::Microseconds(i % 3)));
      MutexLock lock = co_await Try(mutex.Lock());
      items.push_back(i);
      filled.NotifyOne();
      lock.Unlock();
      // Whoever is due has had enough turns to take it, unless the mutex is held.
      for (int turn = 0; turn < 5; ++turn) co_await Try(LetOthersRun());
      EXPECT_TRUE(items.empty() || waiting == 0 || mutex.locked());
    }
    co_return absl::OkStatus();
  };
  absl::Status status = bench.Run(WithTaskGroup(body));
  EXPECT_FALSE(mutex.locked());
  return status;
}

TEST_P(ConditionTest, NoItemStaysWhileACrowdWaits) {
  Bench bench(GetParam());
  int used = 0;
  int gave_up = 0;
  for (uint64_t seed = 1; seed <= (simulated() ? 300 : 20) && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    EXPECT_THAT(MakeAndUse(bench, CrowdFromSeed(seed), used, gave_up), IsOk());
  }
  EXPECT_GT(used, 20);
  EXPECT_GT(gave_up, 20);
}

INSTANTIATE_ON_EVERY_BACKEND(ConditionTest);

// Those who wait, and how it ended for them.
struct Notified {
  Mutex mutex;
  Condition condition;
  int ok = 0;
  int cancelled = 0;
  int holders = 0;

  Task<absl::Status> Wait(Stoppable& stoppable) {
    MutexLock lock = co_await Try(mutex.Lock());
    absl::Status status = co_await stoppable.Await(condition.Wait(lock));
    EXPECT_EQ(++holders, 1);
    ++(status.ok() ? ok : cancelled);
    co_await LetOthersRun();
    --holders;
    co_return absl::OkStatus();
  }
};

// Two notifications, two cancellations, and the end of somebody's lock, in every order.
TEST(ConditionOrdersTest, InEveryOrderNoNotificationIsLost) {
  SimulatedWorld world;
  for (const EventOrder& order : EventOrders(5)) {
    Notified notified;
    Stoppable waiters[3];
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (Stoppable& waiter : waiters) group.Spawn(notified.Wait(waiter));
      co_await Try(Sleep(absl::Milliseconds(1)));
      MutexLock lock = co_await Try(notified.mutex.Lock());
      std::deque<int> line = {0, 1, 2};
      int ok = 0;
      int cancelled = 0;
      for (int position = 0; position < 5; ++position) {
        int event = order.events[static_cast<size_t>(position)];
        if (event <= 1) {
          notified.condition.NotifyOne();
          if (line.empty()) continue;
          line.pop_front();
          ++ok;
        } else if (event == 4) {
          lock.Unlock();
        } else {
          waiters[event - 2].Stop();
          cancelled += static_cast<int>(std::erase(line, event - 2));
        }
        if (order.PauseAfter(position)) co_await Try(LetOthersRun());
      }
      co_await Try(Sleep(absl::Milliseconds(1)));
      EXPECT_EQ(notified.ok, ok);
      EXPECT_EQ(notified.cancelled, cancelled);
      notified.condition.NotifyAll();
      co_await group.Join();
      co_return absl::OkStatus();
    };
    EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
    EXPECT_EQ(notified.ok + notified.cancelled, 3);
    ASSERT_FALSE(HasFailure()) << order.Describe();
  }
}

TEST(ConditionDumpTest, SaysWhetherItWaitsForTheConditionOrForTheMutex) {
  SimulatedWorld world;
  Mutex mutex;
  Condition condition;
  auto waiter = [&]() -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex.Lock());
    co_return co_await condition.Wait(lock);
  };
  auto body = [&]() -> Task<absl::Status> {
    world.scheduler().Spawn(waiter(), "waiter");
    co_await Try(Sleep(absl::Milliseconds(1)));
    MutexLock lock = co_await Try(mutex.Lock());
    EXPECT_THAT(world.scheduler().Dump(), HasSubstr("waits for a condition"));
    condition.NotifyOne();
    EXPECT_THAT(world.scheduler().Dump(), HasSubstr("waits for a mutex that "));
    lock.Unlock();
    co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(body()), IsOk());
}

TEST(ConditionDeathTest, WithoutTheMutex) {
  Condition condition;
  MutexLock lock;
  EXPECT_DEATH(static_cast<void>(condition.Wait(lock)),
               "WithoutTheMutex.*condition_test.cc:.* waits for a condition with a MutexLock that holds nothing");
}

TEST(ConditionDeathTest, WithTwoMutexes) {
  SimulatedWorld world;
  Mutex first, second;
  Condition condition;
  auto wait = [&](Mutex& mutex) -> Task<absl::Status> {
    MutexLock lock = co_await Try(mutex.Lock());
    co_return co_await condition.Wait(lock);
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(wait(first));
    group.Spawn(wait(second));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_DEATH(world.Run(WithTaskGroup(body)).IgnoreError(), "waits for a condition with another mutex than those");
}

}  // namespace
}  // namespace proactor
