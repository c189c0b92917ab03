// SPDX-License-Identifier: Apache-2.0
//
// What a scheduler has done so far, as plain numbers that any thread may read.
//
//   int64_t enters = scheduler.counters().enters.value();
//
// Each number has one writer, the scheduler's thread, except the wakes, which the waking threads count. Reading one is
// a relaxed load: numbers read together need not belong to the same moment.
#ifndef PROACTOR_COUNTERS_H_
#define PROACTOR_COUNTERS_H_

#include <atomic>
#include <cstdint>

namespace proactor {

class Counter {
 public:
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

  // By the one writer: no locked instruction.
  void Add(int64_t count = 1) { value_.store(value() + count, std::memory_order_relaxed); }
  // By any thread.
  void AddShared(int64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

struct alignas(64) Counters {
  Counter turns;            // Times around the loop.
  Counter resumes;          // Suspensions taken from the ready queue.
  Counter timers_fired;     //
  Counter tasks_started;    // Spawned or run; awaiting a child is not counted.
  Counter tasks_finished;   //
  Counter posts;            // Functions received from `Post`.
  Counter operations;       // Submitted to the proactor by coroutines.
  Counter completions;      // Operations that ended.
  Counter resubmissions;    // Operations that went back: short transfers, EINTR, EAGAIN, aborted connections.
  Counter accepts_parked;   // Accepts that had to wait for descriptors or memory, and each time that they had to again.
  Counter receives_parked;  // Receives that had to wait for a buffer of their pool.
  Counter out_of_buffers;   // io_uring: receives ahead that ended because the kernel found no buffer (ENOBUFS).
  Counter registered_files;  // io_uring: files of busy streams that were registered, so as not to be looked up.
  Counter cancels;          // Requests to cancel an operation that were handed to the kernel.
  Counter enters;           // io_uring: calls of io_uring_enter(2). Each turn makes one at most, and then the flushes:
  Counter flushes;          // io_uring: enters only because the submission queue was full. Counted in `enters` too.
  Counter waits;            // epoll: calls of epoll_wait(2). One per turn at most.
  Counter submissions;      // io_uring: entries that the kernel took.
  Counter full_queues;      // io_uring: operations that had to wait for room in the submission queue.
  Counter overflows;        // io_uring: turns that found the completion queue overflowing.
  Counter interruptions;    // Waits ended early by a signal or a busy kernel (EINTR, EAGAIN, EBUSY).
  Counter wakes_sent;       // Posts that had to wake a sleeping scheduler.
  Counter wakes_elided;     // Posts that found it awake, or already woken.
};

}  // namespace proactor

#endif  // PROACTOR_COUNTERS_H_
