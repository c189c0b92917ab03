// SPDX-License-Identifier: Apache-2.0
//
// ChildCount: how many tasks of a parent have not ended, and the parent's wait for the last of them.
//
//   count.Add();                         // For each child that is started.
//   co_await count.Join();               // By the parent, once all are started, or while they may start others.
//   count.Remove(loop.ready_queue);      // By each child that has ended.
//
// What groups and combinators have in common: no parent ends before its children have. So joining cannot be cancelled;
// a cancellation reaches the children, and they end it.
//
// Threads: the scheduler's.
#ifndef PROACTOR_CHILD_COUNT_H_
#define PROACTOR_CHILD_COUNT_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"

namespace proactor::internal {

class ChildCount {
 public:
  int running() const { return running_; }

  void Add() { ++running_; }
  // By a child that ends: whoever joins goes on next, as a parent does whose child has its result.
  void Remove(ReadyQueue& ready_queue) {
    if (--running_ > 0 || joining_ == nullptr) return;
    Suspension& joining = *std::exchange(joining_, nullptr);
    ReadyQueue::TakeTransfer() ? ready_queue.Continue(joining) : ready_queue.Push(joining);
  }

  // Waits until no child is left. One coroutine at a time.
  auto Join();

 private:
  class PendingJoin;
  struct JoinAwaitable;

  int running_ = 0;
  Suspension* joining_ = nullptr;
};

class ChildCount::PendingJoin : public Suspension {
 public:
  PendingJoin(PromiseBase& promise, const Context&, ChildCount& count) : promise_(promise), count_(count) {}

  bool Start() {
    waiting_ = count_.running_ > 0;
    if (waiting_) WaitForLast();
    return waiting_;
  }
  bool Waiting() const { return waiting_; }
  bool StopWaiting() {
    waiting_ = count_.running_ > 0;
    if (waiting_) WaitForLast();  // Somebody has started another child meanwhile.
    return !waiting_;
  }
  bool Failed() const { return false; }
  void TakeResult() {}
  absl::Status TakeFailure() { return absl::OkStatus(); }
  void TakeValue() {}
  void Cancel() final {}
  const CancelScope* scope() const final { return nullptr; }
  std::string Describe() const final { return std::to_string(count_.running_) + " children of its own"; }

 protected:
  PromiseBase& promise_;

 private:
  void WaitForLast() {
    if (count_.joining_ != nullptr) [[unlikely]] JoinedTwice();
    count_.joining_ = this;
  }
  [[noreturn, gnu::noinline, gnu::cold]] void JoinedTwice() const {
    CheckFailed(
        "The coroutine " + DescribeCoroutine(promise_) +
        " joins a group that another coroutine is joining already: only its body does, and only once at a time.");
  }

  ChildCount& count_;
  bool waiting_ = false;
};

struct [[nodiscard]] ChildCount::JoinAwaitable {
  ChildCount& count;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return LeafAwaiter<PendingJoin, kTry>(promise, context, count);
  }
};

inline auto ChildCount::Join() { return JoinAwaitable{*this}; }

}  // namespace proactor::internal

#endif  // PROACTOR_CHILD_COUNT_H_
