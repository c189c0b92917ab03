// SPDX-License-Identifier: Apache-2.0
//
// BlockingPool: threads for work that blocks, such as reading a file where there is no io_uring.
//
//   struct Lookup final : BlockingJob {
//     void Run() override { getaddrinfo(host, nullptr, &hints, &found); done.release(); }   // On a thread of the pool.
//   };
//   BlockingPool::Shared().Submit(lookup);
//   if (BlockingPool::Shared().Remove(lookup)) return;   // It had not started.
//
// Jobs start in the order in which they were submitted. There are only as many threads as were needed at once, up to a
// bound, and a thread that has had nothing to do for a while ends. A job that waits for one that was submitted after it
// can wait for ever. The threads are named `proactor-pool` and take no signals, except those for their own faults.
//
// A child after fork(2) has none of the threads: a pool of the parent's does not work there. `Shared` is another one
// there, with threads of its own.
//
// Threads: `Submit` and `Remove` may be called on any, also by a job.
#ifndef PROACTOR_BLOCKING_POOL_H_
#define PROACTOR_BLOCKING_POOL_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <type_traits>

#include "absl/time/time.h"
#include "proactor/intrusive_list.h"
#include "proactor/log.h"

namespace proactor {

// Owned by who submits it, and left alone by the pool as soon as `Run` has been called: `Run` may end its life.
class BlockingJob : private ListNode<BlockingJob> {
 public:
  // Called once for each `Submit`, unless it is removed before.
  virtual void Run() = 0;

 protected:
  ~BlockingJob() {
    Check(!linked(), "A BlockingJob is destroyed while it waits to be started; Remove it from its pool before.");
  }

 private:
  friend class BlockingPool;
  friend class IntrusiveList<BlockingJob>;
};

struct BlockingPoolOptions {
  // As many as an io_uring is allowed to have for the same work (`Ring::Enable`). Most jobs wait for a disk, which 16
  // requests at once keep busy; more threads wait for each other in the file system.
  int max_threads = 16;
  absl::Duration idle = absl::Seconds(10);
};
static_assert(std::is_trivially_destructible_v<BlockingPoolOptions>);

// Who runs jobs: the pool, or in a simulation one that needs no threads.
class JobRunner {
 public:
  // The job must not be waiting already.
  virtual void Submit(BlockingJob& job) = 0;
  // Takes a job back. Result: true if it had not started, and now never will; false if it runs, has run, or was never
  // submitted.
  virtual bool Remove(BlockingJob& job) = 0;

 protected:
  ~JobRunner() = default;
};

class BlockingPool final : public JobRunner {
 public:
  // The process's own. Its first thread starts with its first job; it is never destroyed.
  static BlockingPool& Shared();

  explicit BlockingPool(BlockingPoolOptions options = {});
  // Waits for the jobs that run. That one still waits to be started is a fatal check.
  ~BlockingPool();

  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // When the system has no more threads, the job waits for those that there are; if there are none at all, it is a
  // fatal check.
  void Submit(BlockingJob& job) override;
  bool Remove(BlockingJob& job) override;

  // How many threads there are, how many of them have nothing to do, and how many jobs have not started.
  int threads() const;
  int idle_threads() const;
  size_t waiting_jobs() const;

 private:
  // A thread with nothing to do. Whoever has something unlinks it and wakes it.
  struct Sleeper : ListNode<Sleeper> {
    std::condition_variable wake;
  };

  void WakeOrStartOne();
  int StartThread();
  void Work();
  bool SleepUntilWanted(std::unique_lock<std::mutex>& lock);

  const int max_threads_;
  const std::chrono::nanoseconds idle_;

  mutable std::mutex mutex_;  // Protects everything below.
  std::condition_variable thread_left_;
  IntrusiveList<BlockingJob> jobs_;
  IntrusiveList<Sleeper> sleepers_;  // The latest first: it is the warmest, and the others can end.
  size_t waiting_jobs_ = 0;
  int threads_ = 0;
  int idle_threads_ = 0;
  bool ending_ = false;
};

}  // namespace proactor

#endif  // PROACTOR_BLOCKING_POOL_H_
