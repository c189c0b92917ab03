// SPDX-License-Identifier: Apache-2.0
//
// Fork and Branch: what All, AllSettled and Any are made of: some tasks that run at the same time in one scope, and
// whose results stay where they are until all have ended.
//
//   Fork fork(co_await CurrentContext(), CancelOn::kFailure);
//   Branch<absl::Status> left(fork), right(fork);         // In the frame of the coroutine that joins.
//   left.Start(0, Load(a));
//   right.Start(1, Load(b));
//   co_await fork.Join();                                 // Always: branches are not to be destroyed before.
//
// A branch is a task record that needs no memory of its own. What it runs is a Task; `AsTask` makes one of any other
// awaitable.
//
// Threads: the scheduler's.
#ifndef PROACTOR_BRANCH_H_
#define PROACTOR_BRANCH_H_

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "proactor/cancellation.h"
#include "proactor/child_count.h"
#include "proactor/context.h"
#include "proactor/result.h"
#include "proactor/task.h"
#include "proactor/task_record.h"
#include "proactor/timeout.h"

namespace proactor::internal {

template <class T>
Task<T> AsTask(Task<T> task) {
  return task;
}
template <Awaitable A>
Task<AwaitResult<A>> AsTask(A awaitable) {
  co_return co_await std::move(awaitable);
}

// What ends the other branches early.
enum class CancelOn : char { kNothing, kFailure, kSuccess };

class Fork {
 public:
  Fork(const Context& context, CancelOn cancel_on) : scope_(context), cancel_on_(cancel_on) {}

  CancelScope& scope() { return scope_; }

  // The branch that ended the others, or, if none did, the one that ended first.
  size_t first() const { return first_; }
  // Whether there is one that ended the others.
  bool decided() const { return decided_; }

  auto Join() { return count_.Join(); }

 private:
  template <class R>
  friend class Branch;

  void Ended(size_t branch, bool ok) {
    bool decides = !decided_ && cancel_on_ == (ok ? CancelOn::kSuccess : CancelOn::kFailure);
    if (decides || !any_ended_) first_ = branch;
    any_ended_ = true;
    if (decides) {
      decided_ = true;
      scope_.Cancel();
    }
    count_.Remove(scope_.context().loop->ready_queue);
  }

  CancelScope scope_;
  ChildCount count_;
  size_t first_ = 0;
  CancelOn cancel_on_;
  bool any_ended_ = false;
  bool decided_ = false;
};

// `void` has no values, so std::monostate stands where one is needed.
template <class R>
using Settled = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <class R>
class Branch final : public TaskRecord {
 public:
  explicit Branch(Fork& fork) : TaskRecord(*fork.scope().context().loop, fork.scope(), "one of several"), fork_(fork) {}

  // Runs `task` in a later step of the loop. `index` is how the fork calls this branch.
  void Start(size_t index, Task<R> task) {
    index_ = index;
    fork_.count_.Add();
    TaskRecord::Start(std::move(task).Release());
  }

  // After the join.
  Settled<R>& result() { return *result_; }
  absl::Status TakeStatus() {
    if constexpr (CarriesStatus<R>) {
      return StatusOf(*std::move(result_));
    } else {
      return absl::OkStatus();
    }
  }

 private:
  void Finished() override {
    auto& promise = static_cast<Promise<R>&>(root());
    if constexpr (std::is_void_v<R>) {
      result_.emplace();
    } else {
      result_.emplace(promise.Take());
    }
    DestroyFrames(promise);
    if constexpr (CarriesStatus<R>) {
      fork_.Ended(index_, result_->ok());
    } else {
      fork_.Ended(index_, true);
    }
  }

  Fork& fork_;
  size_t index_ = 0;
  std::optional<Settled<R>> result_;
};

}  // namespace proactor::internal

#endif  // PROACTOR_BRANCH_H_
