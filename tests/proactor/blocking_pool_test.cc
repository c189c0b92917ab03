// SPDX-License-Identifier: Apache-2.0
#include "proactor/blocking_pool.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <latch>
#include <memory>
#include <numeric>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::ElementsAreArray;

// A job that says when it has run.
struct Job final : BlockingJob {
  explicit Job(std::function<void()> what = [] {}) : body(std::move(what)) {}
  void Run() override {
    body();
    ++runs;
    ended.release();  // The last word: the waiter may end the job's life.
  }
  void Await() { ended.acquire(); }

  std::function<void()> body;
  std::atomic<int> runs = 0;
  std::counting_semaphore<> ended{0};
};

// Keeps a thread busy from `started` until `Await`.
struct Busy {
  void Await() {
    let_go.count_down();
    job.Await();
  }

  std::latch started{1};
  std::latch let_go{1};
  std::thread::id thread;
  Job job{[this] {
    thread = std::this_thread::get_id();
    started.count_down();
    let_go.wait();
  }};
};

// What another thread brings about soon.
void Eventually(const std::function<bool()>& condition) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) FAIL() << "has not happened in time";
    std::this_thread::yield();
  }
}

TEST(BlockingPoolTest, RunsAJobOnAThreadOfItsOwnThatIsNamed) {
  BlockingPool pool;
  EXPECT_EQ(pool.threads(), 0);
  std::thread::id thread;
  char name[16] = {};
  Job job([&] {
    thread = std::this_thread::get_id();
    pthread_getname_np(pthread_self(), name, sizeof(name));
  });
  pool.Submit(job);
  job.Await();
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_STREQ(name, "proactor-pool");
  EXPECT_EQ(pool.threads(), 1);
  EXPECT_EQ(pool.waiting_jobs(), 0u);
}

TEST(BlockingPoolTest, ItsThreadsTakeFaultsAndNoOtherSignals) {
  BlockingPool pool;
  sigset_t before, blocked, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Job job([&] { pthread_sigmask(SIG_SETMASK, nullptr, &blocked); });
  pool.Submit(job);
  job.Await();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGPIPE, SIGALRM, SIGRTMAX}) {
    EXPECT_TRUE(sigismember(&blocked, signal)) << strsignal(signal);
  }
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    EXPECT_FALSE(sigismember(&blocked, signal)) << strsignal(signal);
  }
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << "the submitter's own " << signal;
  }
}

TEST(BlockingPoolTest, StartsAThreadWhenAllAreBusy) {
  BlockingPool pool;
  Busy busy;
  pool.Submit(busy.job);
  busy.started.wait();
  Job other;
  pool.Submit(other);
  other.Await();
  EXPECT_EQ(pool.threads(), 2);
  busy.Await();
}

TEST(BlockingPoolTest, UsesAnIdleThreadAgain) {
  BlockingPool pool;
  for (int i = 0; i < 100; ++i) {
    Job job;
    pool.Submit(job);
    job.Await();
    Eventually([&] { return pool.idle_threads() == 1; });
  }
  EXPECT_EQ(pool.threads(), 1);
}

// One idle thread is not enough for both: each waits for the other.
TEST(BlockingPoolTest, TwoJobsInARowDoNotWaitForOneIdleThread) {
  BlockingPool pool;
  Job first;
  pool.Submit(first);
  first.Await();
  Eventually([&] { return pool.idle_threads() == 1; });
  std::latch both(2);
  Job one([&] { both.arrive_and_wait(); });
  Job other([&] { both.arrive_and_wait(); });
  pool.Submit(one);
  pool.Submit(other);
  one.Await();
  other.Await();
  EXPECT_EQ(pool.threads(), 2);
}

TEST(BlockingPoolTest, HasNoMoreThreadsThanItMay) {
  BlockingPool pool({.max_threads = 3});
  std::deque<Busy> jobs(10);
  for (Busy& busy : jobs) pool.Submit(busy.job);
  for (int i = 0; i < 3; ++i) jobs[i].started.wait();
  EXPECT_EQ(pool.threads(), 3);
  EXPECT_EQ(pool.waiting_jobs(), 7u);
  for (Busy& busy : jobs) busy.Await();
  EXPECT_EQ(pool.threads(), 3);
}

TEST(BlockingPoolTest, OneThreadRunsJobsInTheOrderOfSubmitting) {
  BlockingPool pool({.max_threads = 1});
  Busy first;
  pool.Submit(first.job);
  std::vector<int> order;
  std::deque<Job> jobs;
  for (int i = 0; i < 100; ++i) pool.Submit(jobs.emplace_back([&order, i] { order.push_back(i); }));
  first.Await();
  for (Job& job : jobs) job.Await();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_THAT(order, ElementsAreArray(expected));
}

TEST(BlockingPoolTest, TheThreadThatWasBusyLastIsUsedFirst) {
  BlockingPool pool;
  Busy one, other;
  pool.Submit(one.job);
  pool.Submit(other.job);
  one.started.wait();
  other.started.wait();
  one.Await();
  Eventually([&] { return pool.idle_threads() == 1; });
  other.Await();
  Eventually([&] { return pool.idle_threads() == 2; });
  for (int i = 0; i < 3; ++i) {
    std::thread::id thread;
    Job job([&] { thread = std::this_thread::get_id(); });
    pool.Submit(job);
    job.Await();
    EXPECT_EQ(thread, other.thread);
    Eventually([&] { return pool.idle_threads() == 2; });
  }
}

TEST(BlockingPoolTest, AThreadWithNothingToDoEndsAndAnotherStartsLater) {
  BlockingPool pool({.idle = absl::Nanoseconds(1)});
  for (int i = 0; i < 10; ++i) {
    Job job;
    pool.Submit(job);
    job.Await();
    Eventually([&] { return pool.threads() == 0; });
  }
}

TEST(BlockingPoolTest, AThreadMayStayForEver) {
  BlockingPool pool({.idle = absl::InfiniteDuration()});
  Job job;
  pool.Submit(job);
  job.Await();
  Eventually([&] { return pool.idle_threads() == 1; });
}

// Threads fall asleep, end and start all the time.
TEST(BlockingPoolTest, NoJobIsForgottenWhileThreadsEnd) {
  for (absl::Duration idle : {absl::ZeroDuration(), absl::Microseconds(20)}) {
    BlockingPool pool({.max_threads = 2, .idle = idle});
    auto submit = [&] {
      for (int i = 0; i < 2000; ++i) {
        Job job;
        pool.Submit(job);
        job.Await();
      }
    };
    std::thread one(submit), other(submit), third(submit);
    one.join();
    other.join();
    third.join();
  }
}

// --- Taking jobs back. ---

TEST(BlockingPoolTest, AJobThatHasNotStartedCanBeTakenBack) {
  BlockingPool pool({.max_threads = 1});
  Busy busy;
  pool.Submit(busy.job);
  Job one, other;
  pool.Submit(one);
  pool.Submit(other);
  EXPECT_TRUE(pool.Remove(one));
  EXPECT_FALSE(pool.Remove(one)) << "twice";
  busy.Await();
  other.Await();
  EXPECT_EQ(one.runs, 0);
  EXPECT_EQ(pool.waiting_jobs(), 0u);
}

TEST(BlockingPoolTest, AJobThatRunsOrHasRunCannotBeTakenBack) {
  BlockingPool pool;
  Busy busy;
  EXPECT_FALSE(pool.Remove(busy.job)) << "never submitted";
  pool.Submit(busy.job);
  busy.started.wait();
  EXPECT_FALSE(pool.Remove(busy.job));
  busy.Await();
  EXPECT_FALSE(pool.Remove(busy.job));
  EXPECT_EQ(busy.job.runs, 1);
}

TEST(BlockingPoolTest, AJobCanBeSubmittedAgain) {
  BlockingPool pool({.max_threads = 1});
  Busy busy;
  pool.Submit(busy.job);
  Job job;
  pool.Submit(job);
  EXPECT_TRUE(pool.Remove(job));
  pool.Submit(job);
  busy.Await();
  job.Await();
  pool.Submit(job);
  job.Await();
  EXPECT_EQ(job.runs, 2);
}

TEST(BlockingPoolTest, AJobMaySubmitItselfAndOthers) {
  BlockingPool pool({.max_threads = 1});
  Job other;
  int left = 3;
  Job job;
  job.body = [&] { pool.Submit(--left > 0 ? job : other); };
  pool.Submit(job);
  other.Await();
  EXPECT_EQ(left, 0);
}

// A use after free, for the sanitizers to see, if the pool touched a job that has run.
TEST(BlockingPoolTest, AJobMayEndItsOwnLife) {
  struct Mortal final : BlockingJob {
    explicit Mortal(std::latch& latch) : ended(latch) {}
    void Run() override {
      std::latch& told = ended;
      delete this;
      told.count_down();
    }
    std::latch& ended;
  };
  std::latch ended(100);
  BlockingPool pool;
  for (int i = 0; i < 100; ++i) pool.Submit(*new Mortal(ended));
  ended.wait();
}

TEST(BlockingPoolTest, EachJobOfManySubmittersRunsOrIsTakenBack) {
  constexpr int kSubmitters = 4, kJobs = 1000;
  BlockingPool pool({.max_threads = 3, .idle = absl::Microseconds(50)});
  std::barrier together(kSubmitters);
  std::atomic<int> taken_back = 0, run = 0;
  auto submit = [&] {
    together.arrive_and_wait();
    for (int i = 0; i < kJobs; ++i) {
      Job one, other;
      pool.Submit(one);
      pool.Submit(other);
      for (Job* job : {&other, &one}) {
        if (bool removed = pool.Remove(*job)) {
          EXPECT_EQ(job->runs, 0);
          taken_back += removed;
        } else {
          job->Await();
          run += job->runs;
        }
      }
    }
  };
  std::vector<std::thread> submitters;
  for (int i = 0; i < kSubmitters; ++i) submitters.emplace_back(submit);
  for (std::thread& submitter : submitters) submitter.join();
  EXPECT_EQ(run + taken_back, 2 * kSubmitters * kJobs);
  EXPECT_EQ(pool.waiting_jobs(), 0u);
}

// --- Beginning and end. ---

TEST(BlockingPoolTest, ItsEndWaitsForTheJobsThatRun) {
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    struct Last final : BlockingJob {
      void Run() override {
        started.count_down();
        *done += 1;
      }
      std::latch started{1};
      int* done;
    } last;
    last.done = &done;
    BlockingPool pool;
    pool.Submit(last);
    last.started.wait();
  }
  EXPECT_EQ(done, 100);
}

TEST(BlockingPoolTest, TheProcessHasOne) {
  BlockingPool& pool = BlockingPool::Shared();
  EXPECT_EQ(&pool, &BlockingPool::Shared());
  Job job;
  pool.Submit(job);
  job.Await();
  EXPECT_EQ(job.runs, 1);
}

// Which has none of the threads, and whose copy of the lock may never be free.
TEST(BlockingPoolTest, AChildAfterForkHasOneOfItsOwn) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer lets no child of a process with threads start one";
#endif
  Job job;
  BlockingPool::Shared().Submit(job);
  job.Await();
  pid_t child = fork();
  if (child == 0) {
    Job in_child;
    bool empty = BlockingPool::Shared().threads() == 0;
    BlockingPool::Shared().Submit(in_child);
    in_child.Await();
    _exit(empty && in_child.runs == 1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

class BlockingPoolDeathTest : public ::testing::Test {
 protected:
  // In a process of its own from the beginning: fork(2) takes no threads along.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(BlockingPoolDeathTest, AJobThatStillWaitsWhenThePoolEnds) {
  auto misuse = [] {
    Job job;
    Busy busy;
    BlockingPool pool({.max_threads = 1});
    pool.Submit(busy.job);
    busy.started.wait();
    pool.Submit(job);
  };
  EXPECT_DEATH(misuse(), "A BlockingPool ends while jobs wait to be started .1.;");
}

TEST_F(BlockingPoolDeathTest, AJobThatIsDestroyedWhileItWaits) {
  auto misuse = [] {
    Busy busy;
    BlockingPool pool({.max_threads = 1});
    pool.Submit(busy.job);
    busy.started.wait();
    Job job;
    pool.Submit(job);
  };
  EXPECT_DEATH(misuse(), "A BlockingJob is destroyed while it waits to be started");
}

TEST_F(BlockingPoolDeathTest, AJobThatIsSubmittedTwice) {
  auto misuse = [] {
    Busy busy;
    BlockingPool pool({.max_threads = 1});
    pool.Submit(busy.job);
    busy.started.wait();
    Job job;
    pool.Submit(job);
    pool.Submit(job);
  };
  EXPECT_DEATH(misuse(), "A BlockingJob was submitted while it waits");
}

TEST_F(BlockingPoolDeathTest, NoThreads) { EXPECT_DEATH(BlockingPool({.max_threads = 0}), "needs a thread"); }

// The system has no more threads.
bool RefuseThreads() { return Install(Failing(SYS_clone3, EAGAIN)) && Install(Failing(SYS_clone, EAGAIN)); }

TEST_F(BlockingPoolDeathTest, WithoutAnotherThreadJobsWaitForThoseThatThereAre) {
  auto child = [] {
    BlockingPool pool;
    Busy busy;
    pool.Submit(busy.job);
    busy.started.wait();
    if (!RefuseThreads()) _exit(2);
    Job job;
    pool.Submit(job);
    bool waits = pool.threads() == 1 && pool.waiting_jobs() == 1;
    busy.Await();
    job.Await();
    _exit(waits && job.runs == 1 ? 0 : 1);
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "");
}

TEST_F(BlockingPoolDeathTest, WithoutAnyThreadItSaysWhatToDo) {
  auto child = [] {
    if (!RefuseThreads()) _exit(2);
    Job job;
    BlockingPool::Shared().Submit(job);
  };
  EXPECT_DEATH(child(), "cannot start its first thread .pthread_create: Resource temporarily unavailable.; allow more");
}

}  // namespace
}  // namespace proactor
