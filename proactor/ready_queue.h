// SPDX-License-Identifier: Apache-2.0
//
// What can run: the FIFO of suspensions whose wait is over, and the one place where coroutines are resumed.
//
//   ready_queue.Push(suspension);   // by a backend, a timer, a cancelled scope, a finished child
//   ready_queue.RunSome(256);       // by the scheduler, once per turn
//
// Rules:
//  - Completing anything only pushes it here. Nothing but `RunSome` resumes a coroutine, so resumption never nests.
//  - Control passes from coroutine to coroutine by symmetric transfer, and every `kTransfers` times through `RunSome`:
//    not every compiler, at every level of optimisation, makes a transfer a tail call, and chains of any length must
//    run on a stack of constant depth.
//  - An operation may complete without suspending, at most `kInlineCompletions` times per resume; then it goes through
//    the FIFO, so that a coroutine that never waits cannot starve the others.
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

  // What `await_suspend` returns to continue in another coroutine: `to` itself, or, every `kTransfers` times, nothing,
  // with `to` left for `RunSome`. Where the compiler does not make the transfer a tail call, that unwinds the stack.
  std::coroutine_handle<> Transfer(std::coroutine_handle<> to) {
    if (--transfers_left_ > 0) [[likely]] {
      return to;
    }
    next_ = to;
    return std::noop_coroutine();
  }

  // For an `await_suspend` that returns nothing: `to`, which may come from `Transfer`, runs once the stack is unwound.
  void Continue(std::coroutine_handle<> to) {
    if (!next_) next_ = to;
  }

  // Asks to complete an operation without suspending; false once the running coroutine has done so often enough.
  bool TakeInlineCompletion() { return inline_completions_left_-- > 0; }

  // Runs what is ready, including what becomes ready meanwhile, but no more than `limit` suspensions.
  // Yields how many were run.
  int RunSome(int limit) {
    int count = 0;
    while (count < limit) {
      Suspension* suspension = Pop();
      if (suspension == nullptr) break;
      ++count;
      inline_completions_left_ = kInlineCompletions;
      std::coroutine_handle<> coroutine = suspension->Resume();
      while (coroutine) {
        transfers_left_ = kTransfers;
        coroutine.resume();
        coroutine = std::exchange(next_, nullptr);
      }
    }
    return count;
  }

 private:
  std::coroutine_handle<> next_;
  int inline_completions_left_ = kInlineCompletions;
  int transfers_left_ = kTransfers;
};

}  // namespace proactor

#endif  // PROACTOR_READY_QUEUE_H_
