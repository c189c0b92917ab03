// SPDX-License-Identifier: Apache-2.0
#include "proactor/scheduler.h"

#include <pthread.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/log.h"
#include "proactor/net/tcp.h"
#include "proactor/run.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/task_record.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SchedulerTest : public BackendTest {};

TEST_P(SchedulerTest, RunCanBeCalledAgainAndSpawnedTasksGoOn) {
  int ticks = 0;
  auto ticker = [&]() -> Task<absl::Status> {
    while (true) {
      co_await Try(Sleep(absl::Microseconds(10)));
      ++ticks;
    }
  };
  auto wait = [&](int count) -> Task<absl::Status> {
    while (ticks < count) co_await Try(Sleep(absl::Microseconds(10)));
    co_return absl::OkStatus();
  };
  scheduler().Spawn(ticker(), "ticker");
  EXPECT_THAT(Run(wait(3)), IsOk());
  EXPECT_THAT(Run(wait(6)), IsOk());
  EXPECT_FALSE(scheduler().idle());
  // The ticker must not outlive what it counts in: a tick may fall due while it is being cancelled.
  scheduler().Shutdown();
}

TEST_P(SchedulerTest, TheDestructorCancelsWhatIsLeftAndWaitsForIt) {
  absl::Status ended;
  auto sleeper = [&]() -> Task<absl::Status> {
    ended = co_await Sleep(absl::Hours(1));
    co_return ended;
  };
  {
    Bench bench(GetParam());
    bench.scheduler().Spawn(sleeper(), "sleeper");
    auto nothing = []() -> Task<absl::Status> { co_return co_await Sleep(absl::ZeroDuration()); };
    EXPECT_THAT(bench.Run(nothing()), IsOk());
  }
  EXPECT_THAT(ended,
              StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (the scheduler is shutting down)"));
}

std::vector<std::string>* logged = nullptr;

TEST_P(SchedulerTest, AFailedSpawnIsLoggedWithItsName) {
  std::vector<std::string> lines;
  logged = &lines;
  SetLogSink([](LogSeverity, std::string_view line) { logged->emplace_back(line); });
  auto failing = []() -> Task<absl::Status> { co_return absl::DataLossError("lost"); };
  scheduler().Spawn(failing(), "housekeeping");
  auto wait = [&]() -> Task<absl::Status> { co_return co_await Sleep(absl::Milliseconds(1)); };
  EXPECT_THAT(Run(wait()), IsOk());
  SetLogSink(nullptr);
  EXPECT_THAT(lines, ElementsAre(HasSubstr("housekeeping failed: DATA_LOSS: lost")));
}

TEST_P(SchedulerTest, PostsOfOneThreadAreCalledInOrder) {
  std::vector<int> order;
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 5; ++i) scheduler().Post([&order, i] { order.push_back(i); });
    co_return co_await Sleep(absl::Milliseconds(1));
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(counters().posts.value(), 5);
}

TEST_P(SchedulerTest, DumpSaysWhoWaitsForWhat) {
  std::string dump;
  auto inner = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Hours(1)); };
  auto outer = [&]() -> Task<absl::Status> { co_return co_await inner(); };
  scheduler().Spawn(outer(), "patient");
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(Sleep(absl::Milliseconds(1)));
    dump = scheduler().Dump();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_THAT(dump, HasSubstr("task patient"));
  EXPECT_THAT(dump, HasSubstr("scheduler_test.cc:"));
  EXPECT_THAT(dump, HasSubstr("waits for sleep for another "));
  EXPECT_THAT(dump, HasSubstr("task main"));
}

TEST_P(SchedulerTest, TurnCanBeDrivenByAnotherLoop) {
  bool done = false;
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) co_await Try(Sleep(absl::Microseconds(1)));
    done = true;
    co_return absl::OkStatus();
  };
  scheduler().Spawn(body());
  for (int turns = 0; !done && turns < 1'000'000; ++turns) {
    scheduler().Turn(scheduler().Now() + absl::Microseconds(10));
  }
  EXPECT_TRUE(done);
  EXPECT_TRUE(scheduler().idle());
}

TEST_P(SchedulerTest, CancelEndsEveryTask) {
  auto body = [&]() -> Task<absl::Status> {
    scheduler().Cancel();
    co_return co_await Sleep(absl::Hours(1));
  };
  EXPECT_THAT(Run(body()), StatusIs(absl::StatusCode::kCancelled));
}

// --- The budget (ready_queue.h): what one busy task can do before the loop looks at I/O. ---

// How often something happens in each turn of a scheduler.
class PerTurn {
 public:
  explicit PerTurn(const Counters& counters) : counters_(counters) {}
  void Count() {
    while (static_cast<int64_t>(counts_.size()) < counters_.turns.value()) counts_.push_back(0);
    ++counts_.back();
  }
  int64_t turns() const { return static_cast<int64_t>(counts_.size()); }
  // In the turns that were whole: without the first and the last.
  std::vector<int64_t> counts() const { return {counts_.begin() + 1, counts_.end() - 1}; }

 private:
  const Counters& counters_;
  std::vector<int64_t> counts_;
};

Task<int> AtOnce() { co_return 1; }

TEST_P(SchedulerTest, ATaskThatAwaitsChildrenWhichNeverSuspendIsInterruptedAfterItsTransfers) {
  PerTurn awaits(counters());
  auto busy = [&]() -> Task<void> {
    while (awaits.turns() < 5) {
      co_await AtOnce();
      awaits.Count();
    }
  };
  Run(busy());
  // One transfer to the child, and one back.
  EXPECT_THAT(awaits.counts(), Each(ReadyQueue::kResumesPerTurn * ReadyQueue::kTransfers / 2));
}

TEST_P(SchedulerTest, ATaskWhoseOperationsCompleteAtOnceIsInterruptedAfterItsInlineCompletions) {
  PerTurn awaits(counters());
  auto busy = [&]() -> Task<void> {
    while (awaits.turns() < 5) {
      absl::Status status = co_await Sleep(absl::Hours(1));
      awaits.Count();
    }
  };
  auto body = [&]() -> Task<void> {
    CancelScope scope(co_await CurrentContext());
    scope.Cancel();
    co_await internal::InScope(scope, busy());
  };
  Run(body());
  // And one of each resume that goes through the queue.
  EXPECT_THAT(awaits.counts(), Each(ReadyQueue::kResumesPerTurn * (ReadyQueue::kInlineCompletions + 1)));
}

TEST_P(SchedulerTest, ABusyTaskLetsOtherReadyTasksGoOnAfterItsTransfers) {
  int64_t awaits = 0;
  std::vector<int64_t> seen;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto busy = [&]() -> Task<absl::Status> {
      while (seen.size() < 10) awaits += co_await AtOnce();
      co_return absl::OkStatus();
    };
    auto other = [&]() -> Task<absl::Status> {
      while (seen.size() < 10) {
        seen.push_back(awaits);
        co_await Try(Sleep(absl::ZeroDuration()));
      }
      co_return absl::OkStatus();
    };
    group.Spawn(busy());
    group.Spawn(other());
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  for (size_t i = 1; i < seen.size(); ++i) EXPECT_EQ(seen[i] - seen[i - 1], ReadyQueue::kTransfers / 2);
}

TEST_P(SchedulerTest, ABusyTaskStarvesNeitherTimersNorInputAndOutput) {
  int64_t awaits = 0;
  bool over = false;
  auto busy = [&]() -> Task<absl::Status> {
    while (!over) awaits += co_await AtOnce();
    co_return absl::OkStatus();
  };
  auto echo = [](TcpStream stream) -> Task<absl::Status> {
    char buffer[16];
    while (size_t n = co_await Try(stream.Read(buffer))) co_await Try(stream.WriteAll({buffer, n}));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    TcpStream client = co_await Try(TcpStream::Connect(address));
    TcpStream server = co_await Try(listener.Accept());
    group.Spawn(echo(std::move(server)));
    group.Spawn(busy());
    // Simulated time stands still while something can run.
    if (!simulated()) co_await Try(Sleep(absl::Microseconds(100)));
    for (int i = 0; i < 10; ++i) {
      char reply[1];
      co_await Try(client.WriteAll("x"));
      co_await Try(client.Read(reply));
    }
    over = true;
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_GT(awaits, 0);
}

TEST_P(SchedulerTest, ABusyTaskCanBeCancelledBetweenItsTurns) {
  auto busy = [](const TaskGroup& group) -> Task<absl::Status> {
    while (!group.cancelled()) co_await AtOnce();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(busy(group));
    // The busy task has not run, runs, and waits for its turn.
    for (int i = 0; i < 3; ++i) co_await Try(Sleep(absl::ZeroDuration()));
    EXPECT_THAT(DumpTasks(group.scope()), HasSubstr("waits for its turn"));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(SchedulerTest);

// Threads: on the real backends only, because a simulation does not wait for threads.

class SchedulerThreadsTest : public BackendTest {};
INSTANTIATE_ON_REAL_BACKENDS(SchedulerThreadsTest);

// Invariant 7: no wake-up is lost, and one write at most wakes a sleeper.
TEST_P(SchedulerThreadsTest, EveryPostOfEveryThreadIsCalledOnce) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  int received = 0;  // On the scheduler's thread only.
  std::vector<int> latest(kThreads, -1);
  bool in_order = true;
  auto body = [&]() -> Task<absl::Status> {
    while (received < kThreads * kPosts) co_await Try(Sleep(absl::Microseconds(100)));
    co_return absl::OkStatus();
  };
  std::vector<std::thread> threads;
  for (int id = 0; id < kThreads; ++id) {
    threads.emplace_back([&, id] {
      for (int i = 0; i < kPosts; ++i) {
        scheduler().Post([&, id, i] {
          in_order = in_order && latest[id] == i - 1;
          latest[id] = i;
          ++received;
        });
      }
    });
  }
  EXPECT_THAT(Run(body()), IsOk());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(received, kThreads * kPosts);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(counters().wakes_sent.value() + counters().wakes_elided.value(), kThreads * kPosts);
}

// A ping-pong with nothing else to wake the scheduler: a lost wake-up would hang it.
TEST_P(SchedulerThreadsTest, APostWakesASchedulerThatSleepsForEver) {
  constexpr int kRounds = 2000;
  std::atomic<int> pings{0};
  std::atomic<bool> over{false};
  std::thread poster([&] {
    for (int i = 0; i < kRounds; ++i) {
      scheduler().Post([&] { pings.fetch_add(1); });
      while (pings.load() <= i) std::this_thread::yield();
    }
    scheduler().Post([&] { over = true; });
  });
  while (!over) scheduler().Turn();
  poster.join();
  EXPECT_EQ(pings.load(), kRounds);
}

TEST(SchedulerThreadsDeathTest, UseFromAnotherThreadEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        Bench bench(Backend::kSimulated);
        bench.scheduler().Turn(MonotonicTime::Past());
        std::thread([&] {
          pthread_setname_np(pthread_self(), "stranger");
          bench.scheduler().Turn(MonotonicTime::Past());
        }).join();
      },
      "used from the thread \"stranger\" \\([0-9]+\\), but runs on \"scheduler_test\" \\([0-9]+\\): "
      "send it work with Post");
}

TEST(SchedulerThreadsDeathTest, TheSentenceNamesTheCoroutineThatWasToRun) {
  auto nothing = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
  auto elsewhere = [](absl::FunctionRef<void(Scheduler&)> use) {
    Bench bench(Backend::kSimulated);
    bench.scheduler().Turn(MonotonicTime::Past());
    std::thread([&] { use(bench.scheduler()); }).join();
  };
  constexpr char kSentence[] =
      "A Scheduler, for .*TheSentence.* \\(scheduler_test.cc:[0-9]+\\), was used from the thread";
  EXPECT_DEATH(elsewhere([&](Scheduler& scheduler) { scheduler.Spawn(nothing()); }), kSentence);
  EXPECT_DEATH(elsewhere([&](Scheduler& scheduler) { scheduler.Run(nothing()).IgnoreError(); }), kSentence);
}

// Runs `misuse` with the group of a task, on another thread.
void OnAnotherThread(absl::FunctionRef<void(TaskGroup&)> misuse) {
  Bench bench(Backend::kSimulated);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    std::thread([&] {
      pthread_setname_np(pthread_self(), "stranger");
      misuse(group);
    }).join();
    co_return absl::OkStatus();
  };
  bench.Run(WithTaskGroup(body)).IgnoreError();
}

TEST(SchedulerThreadsDeathTest, GroupsAndScopesMayNotBeUsedFromAnotherThread) {
  auto nothing = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
  EXPECT_DEATH(
      OnAnotherThread([&](TaskGroup& group) { group.Spawn(nothing()); }),
      "A TaskGroup, for .*GroupsAndScopes.* \\(scheduler_test.cc:[0-9]+\\), was used from the thread \"stranger\" "
      ".*: have its scheduler spawn, with Post");
  EXPECT_DEATH(OnAnotherThread([](TaskGroup& group) { group.Cancel(); }),
               "A CancelScope was used from the thread \"stranger\" .*: make a Canceller for other threads");
  EXPECT_DEATH(OnAnotherThread([](TaskGroup& group) { group.scope().StopSoon(); }),
               "A CancelScope was used from the thread \"stranger\"");
}

TEST(SchedulerDeathTest, RunInsideATaskEndsTheProcessWithASentence) {
  EXPECT_DEATH(
      {
        Bench bench(Backend::kSimulated);
        auto inner = []() -> Task<int> { co_return 1; };
        auto outer = [&]() -> Task<int> { co_return bench.scheduler().Run(inner()); };
        bench.Run(outer());
      },
      "from inside one of the scheduler's own tasks: await instead");
}

}  // namespace
}  // namespace proactor
