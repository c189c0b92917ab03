// SPDX-License-Identifier: Apache-2.0
//
// What can run: the FIFO of suspensions whose wait is over, and the one place where coroutines are resumed.
//
//   ready_queue.Push(suspension);   // by a backend, a timer, a cancelled scope, a finished child
//   ready_queue.RunSome(ReadyQueue::kResumesPerTurn);   // by the scheduler, once per turn
//
// Rules:
//  - Completing anything only pushes it here. Nothing but `RunSome` resumes a coroutine, so resumption never nests.
//  - Control passes from coroutine to coroutine by symmetric transfer (a child that is awaited starts, a parent goes on
//    when it has ended), at most `kTransfers` times per resume; then the task goes to the end of the FIFO. That also
//    unwinds the stack: not every compiler, at every level of optimisation, makes a transfer a tail call.
//  - A task that ends, and whoever joined it as its last, go on in the same resume, once the stack is unwound.
//  - An operation may complete without suspending, at most `kInlineCompletions` times per resume; then it goes through
//    the FIFO.
//  - The scheduler runs at most `kResumesPerTurn` suspensions, and then looks at timers, I/O and other threads.
//
// The budget: from this follows how long a task that always has something to do can keep others waiting. Before
// another ready task runs, it makes at most 100 transfers and 16 inline completions; before the scheduler looks at I/O,
// all tasks together are resumed at most 256 times, with 25,600 transfers and 4,096 inline completions. What a
// coroutine does between two of these is its own, so a long computation awaits `Yield` (yield.h) now and then.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_READY_QUEUE_H_
#define PROACTOR_READY_QUEUE_H_

#include <coroutine>
#include <cstddef>
#include <string>
#include <utility>

namespace proactor {

class CancelScope;

// One waiting coroutine, or a task about to start or just finished: whatever the ready queue can run.
//
// It is in at most one queue at a time: the ready queue, or a backend's queue of pending submissions.
class Suspension {
 public:
  Suspension() = default;
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  // Returns the coroutine to resume, or null when there is nothing to resume. Called once per push.
  virtual std::coroutine_handle<> Resume() = 0;

  // The scope that a coroutine waits in was cancelled. If the wait is not over yet: end it soon, by `Push`ing yourself,
  // or by asking whoever you wait for.
  virtual void Cancel() = 0;

  // The scope that it waits in; null if nothing can cancel it.
  virtual const CancelScope* scope() const = 0;

  // What is waited for, in words, such as "recv on descriptor 7". For dumps and fatal checks.
  virtual std::string Describe() const = 0;

 protected:
  ~Suspension() = default;

 private:
  friend class SuspensionQueue;
  Suspension* next_ = nullptr;
};

// A FIFO of suspensions, linked through them.
class SuspensionQueue {
 public:
  bool empty() const { return head_ == nullptr; }

  void Push(Suspension& suspension) {
    suspension.next_ = nullptr;
    *tail_ = &suspension;
    tail_ = &suspension.next_;
  }

  // Takes all of `other`, which is empty afterwards.
  void Append(SuspensionQueue& other) {
    if (other.empty()) return;
    *tail_ = std::exchange(other.head_, nullptr);
    tail_ = std::exchange(other.tail_, &other.head_);
  }

  Suspension* front() const { return head_; }

  Suspension* Pop() {
    Suspension* first = head_;
    if (first != nullptr) {
      head_ = std::exchange(first->next_, nullptr);
      if (head_ == nullptr) tail_ = &head_;
    }
    return first;
  }

  SuspensionQueue() = default;
  SuspensionQueue(const SuspensionQueue&) = delete;
  SuspensionQueue& operator=(const SuspensionQueue&) = delete;

 private:
  Suspension* head_ = nullptr;
  Suspension** tail_ = &head_;
};

class ReadyQueue : public SuspensionQueue {
 public:
  static constexpr int kInlineCompletions = 16;
  static constexpr int kTransfers = 100;
  static constexpr int kResumesPerTurn = 256;

  // Asks to continue in another coroutine without a turn through the queue; false once that has happened often enough.
  static bool TakeTransfer() { return --transfers_left_ != 0; }

  // Asks to complete an operation without suspending; false once the running coroutine has done so often enough.
  bool TakeInlineCompletion() { return inline_completions_left_-- > 0; }

  // Goes on with `to` once the stack is unwound, without a turn through the queue: for an `await_suspend` that returns
  // nothing, for a task that has ended, and for whoever waited for the last one. Only while a coroutine runs or a
  // suspension is resumed. There is one place: the earlier of two takes its turn through the queue after all.
  void Continue(std::coroutine_handle<> to) { next_ = to; }
  void Continue(Suspension& to) {
    if (Suspension* earlier = std::exchange(next_suspension_, &to); earlier != nullptr) Push(*earlier);
  }

  // Makes `suspension` ready once the scheduler has looked at I/O, behind everything that is ready then.
  void PushBehindInputAndOutput(Suspension& suspension) { yielded_.Push(suspension); }
  void TakeYielded() { Append(yielded_); }

  // Whether nothing can run, not even after a look at I/O.
  bool empty() const { return SuspensionQueue::empty() && yielded_.empty(); }

  // Runs what is ready, including what becomes ready meanwhile, but no more than `limit` suspensions.
  // Yields how many were run.
  int RunSome(int limit) {
    int count = 0;
    while (count < limit) {
      Suspension* suspension = Pop();
      if (suspension == nullptr) break;
      // Of many that become ready at once, most have left the caches. (Null would be looked for in the page tables.)
      if (front() != nullptr) __builtin_prefetch(front());
      ++count;
      inline_completions_left_ = kInlineCompletions;
      transfers_left_ = kTransfers;
      do {
        std::coroutine_handle<> coroutine = suspension->Resume();
        while (coroutine) {
          coroutine.resume();
          coroutine = std::exchange(next_, nullptr);
        }
        suspension = std::exchange(next_suspension_, nullptr);
      } while (suspension != nullptr);
    }
    return count;
  }

 private:
  std::coroutine_handle<> next_;
  Suspension* next_suspension_ = nullptr;
  int inline_completions_left_ = kInlineCompletions;
  SuspensionQueue yielded_;

  // The thread's and not the queue's: what transfers may use up is its stack, and no queue runs inside another.
  static inline constinit thread_local int transfers_left_ = kTransfers;
};

}  // namespace proactor

#endif  // PROACTOR_READY_QUEUE_H_
