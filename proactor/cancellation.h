// SPDX-License-Identifier: Apache-2.0
//
// CancelScope: who may stop whom, and by when.
//
//   absl::Status status = co_await WithCancelScope([&](CancelScope& scope) -> Task<absl::Status> {
//     scope.SetDeadline(deadline);
//     on_shutdown = [&] { scope.Cancel("shutting down"); };
//     co_return co_await Serve(listener);
//   });
//
// Scopes form a tree: a scope is cancelled with its parent, and a deadline of the parent is one for all below it, which
// they can only tighten. Most code never names one: `WithTimeout` (timeout.h) and `WithTaskGroup` (task_group.h) make
// them.
//
//  - Cancelling asks everything that waits in the scope to end. What has happened already is still delivered: an
//    operation that completes first returns its result, one that does not returns `kCancelled`.
//  - It is level-triggered: in a cancelled scope every later operation ends at once, without asking the kernel, so that
//    swallowing a cancellation is harmless. Cleanup that must wait for something runs in `Shield` (timeout.h).
//  - `StopSoon` is another, gentler signal: finish what you have, take nothing new. It flows down the same tree, into
//    shields too, and ends only what waits in `UntilStopping` (until_stopping.h).
//  - The scope remembers what cancelled it first, and who: an outer cancellation is never taken for its own deadline.
//    The reason that was given is in the failure of all that it ended: "recv: Operation canceled (shutting down)".
//  - Operations that cannot be interrupted delay the end of the scope, and deliver what they got: reads and writes of
//    regular files, once a worker runs them, and whatever a thread of the BlockingPool has begun with (`RunBlocking`;
//    without io_uring opening too, of a FIFO whose other end nobody opens, say).
//
// Waiting in a scope costs nothing: a scope knows its tasks, and a task waits for one thing at a time, which is found
// when the scope is cancelled. So a scope must be awaited by the task that made it, and must outlive what waits in it:
// it belongs into the frame of the coroutine that awaits the scoped work.
//
// Threads: the scheduler's only; others have a `Canceller` (canceller.h).
#ifndef PROACTOR_CANCELLATION_H_
#define PROACTOR_CANCELLATION_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/context.h"
#include "proactor/intrusive_list.h"
#include "proactor/monotonic_time.h"
#include "proactor/ready_queue.h"
#include "proactor/timer.h"

namespace proactor {

// What ended a scope, if anything did.
enum class CancelCause : char {
  kNone,       // Not cancelled.
  kRequested,  // `Cancel` was called.
  kDeadline,   // The scope's own deadline passed.
  kParent,     // The scope around it was cancelled.
  kStopping,   // It lasts until it is stopping, and is.
};

// Who is told when a scope ends.
class ScopeWatcher {
 public:
  virtual void ScopeEnds() = 0;

 protected:
  ~ScopeWatcher() = default;
};

// Tags that tell the lists of a scope apart.
struct SiblingScopes;

class CancelScope : private Timer, private ListNode<SiblingScopes> {
 public:
  // What it is cancelled with.
  enum Exposure : char {
    kOpen,           // Its parent.
    kShielded,       // Nothing but itself.
    kUntilStopping,  // Its parent; and `StopSoon`.
  };

  // A scope inside `outer`'s.
  explicit CancelScope(const Context& outer, Exposure exposure = kOpen);
  // A root, for a scheduler.
  explicit CancelScope(Loop& loop);
  ~CancelScope();

  // Cancels this scope and all below it that are not shielded. Calling it again does nothing: the first reason stays.
  void Cancel(std::string_view reason = "");

  // Cancels the scope when the time comes. The second call replaces the deadline of the first, with one store if it is
  // later; the parent's deadline stays in force. A deadline that has passed takes effect in the next turn, so that what
  // is ready by then is still delivered.
  void SetDeadline(MonotonicTime deadline);
  // The same, counted from the end of the loop's current step, when it looks at the clock for everybody: never early,
  // and a scope that has ended by then has cost no look.
  void SetTimeout(absl::Duration timeout);

  // When the scope will be cancelled at the latest: the earliest deadline of its own and of the scopes around it, up to
  // a shield. Infinite if there is none, and past in a cancelled scope, where nothing may wait.
  MonotonicTime deadline() const;

  bool cancelled() const { return cause_ != CancelCause::kNone; }
  CancelCause cause() const { return cause_; }
  // The scope that was cancelled by itself, and this one with it: this one, or one around it. Null if not cancelled.
  const CancelScope* cancelled_by() const;
  // What that scope was told, or what its cause is in words. Empty if no reason was given, or if not cancelled.
  std::string_view reason() const;
  // The failure of something that this scope ended, such as "sleep: Operation canceled (shutting down)".
  absl::Status Failure(std::string_view what) const { return Failure(what, reason()); }
  static absl::Status Failure(std::string_view what, std::string_view reason);

  // Tells this scope and all below it to finish what they have, and to take nothing new.
  void StopSoon();
  bool stopping() const { return stopping_; }

  // What code that runs in this scope gets.
  const Context& context() const { return context_; }

  // The tasks that were spawned in this scope and have not ended, and the scopes inside it.
  const IntrusiveList<TaskRecord>& tasks() const { return tasks_; }
  const IntrusiveList<CancelScope, SiblingScopes>& children() const { return children_; }

 protected:
  // For scopes that have more to do: `Cancelled` is called once this is, `OuterCancelled` on a shielded one when the
  // scope around it is. Neither for what holds when the scope begins. They must not resume a coroutine.
  virtual void Cancelled() {}
  virtual void OuterCancelled() {}
  void Fire() override { CancelBecause(CancelCause::kDeadline); }
  void CancelBecause(CancelCause cause);

 private:
  friend class Canceller;
  friend class TaskRecord;
  template <class, class>
  friend class IntrusiveList;

  // What few scopes have.
  struct Details {
    std::string reason;
    std::shared_ptr<ScopeWatcher> watcher;
  };
  // Tells the watcher, too. Out of the way of the scopes that have none.
  struct EndDetails {
    void operator()(Details* details) const;
  };

  void CheckThread() const;
  Details& details();
  void CancelWaiting();
  // The next scope in a walk through all below `root`, or null; with or without those inside this one.
  CancelScope* NextBelow(const CancelScope& root, bool inside);

  const Context context_;  // The task is the one whose coroutine made the scope.
  CancelScope* parent_ = nullptr;
  IntrusiveList<CancelScope, SiblingScopes> children_;
  IntrusiveList<TaskRecord> tasks_;
  std::unique_ptr<Details, EndDetails> details_;
  CancelCause cause_ = CancelCause::kNone;
  Exposure exposure_ = kOpen;
  bool stopping_ = false;
};

}  // namespace proactor

#endif  // PROACTOR_CANCELLATION_H_
