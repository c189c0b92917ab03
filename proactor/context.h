// SPDX-License-Identifier: Apache-2.0
//
// What flows down a `co_await` chain: the scheduler's loop, the cancel scope, the identity of the task, its locals.
//
// A coroutine gets its context from whoever awaits it, and passes the same on, in one place: the promise's
// `await_transform` (promise.h). Only a spawned task and a new cancel scope make a context; everybody else points at
// it, so that it costs a frame one pointer.
//
// Code in a coroutine can ask for it:
//
//   const Context& context = co_await CurrentContext();
//   MonotonicTime now = context.loop->clock.Now();
//
// Threads: the scheduler's only.
#ifndef PROACTOR_CONTEXT_H_
#define PROACTOR_CONTEXT_H_

#include <coroutine>
#include <cstdint>

#include "absl/time/time.h"
#include "proactor/clock.h"
#include "proactor/counters.h"
#include "proactor/intrusive_list.h"
#include "proactor/monotonic_time.h"
#include "proactor/ready_queue.h"
#include "proactor/remote_queue.h"
#include "proactor/thread_mark.h"
#include "proactor/timer.h"

namespace proactor {

class CancelScope;
class Proactor;
class PromiseBase;
class TaskRecord;

namespace internal {
struct TaskLocalBinding;
}

// Who is told when a loop ends, and what other threads do must not reach it any more.
class LoopWatcher : public ListNode<LoopWatcher> {
 public:
  virtual void LoopEnds() = 0;

 protected:
  ~LoopWatcher() = default;
};

// The parts of a scheduler that the layers below it work with. `Scheduler` is the one class derived from it.
struct Loop {
  Proactor& proactor;
  Clock& clock;
  Counters& counters;
  ReadyQueue ready_queue;
  TimerWheel timers;
  RemoteQueue remote_queue;                              // Of `RemoteMessage`s.
  MonotonicTime next_complaint = MonotonicTime::Past();  // When to log next that the system is short of something.
  uint32_t chance = 1;                                   // Begins with the proactor's seed; not 0.
  ThreadMark thread = {};                                // That of the first run.
  IntrusiveList<LoopWatcher> watchers = {};
  MonotonicTime rough_time = MonotonicTime::Past();  // See `RoughlyNow`.
  int64_t turn_of_rough_time = -1;

  // Some moment of this turn: for ages, not for deadlines.
  MonotonicTime RoughlyNow() {
    if (turn_of_rough_time != counters.turns.value()) {
      turn_of_rough_time = counters.turns.value();
      rough_time = clock.RoughlyNow();
    }
    return rough_time;
  }

  // Whether to log now that the system is short of something. A server at its limit may be so with each connection:
  // that is worth one line, not one for each.
  bool MayComplain() {
    const MonotonicTime now = clock.Now();
    if (now < next_complaint) return false;
    next_complaint = now + absl::Seconds(10);
    return true;
  }

  // The next number by chance (xorshift32), the same in each run: for fair choices, not for secrets.
  uint32_t NextChance() {
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance;
  }
};

struct Context {
  Loop* loop = nullptr;
  CancelScope* scope = nullptr;
  TaskRecord* task = nullptr;
  const internal::TaskLocalBinding* locals = nullptr;  // The innermost (task_local.h).
};

namespace internal {

struct CurrentContextAwaitable {
  struct Awaiter {
    const Context& context;
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    const Context& await_resume() const noexcept { return context; }
  };
  template <bool kTry>
  Awaiter MakeAwaiter(PromiseBase&, const Context& context) && {
    return {context};
  }
};

}  // namespace internal

// Yields the context of the coroutine that awaits it, without suspending.
inline internal::CurrentContextAwaitable CurrentContext() { return {}; }

}  // namespace proactor

#endif  // PROACTOR_CONTEXT_H_
