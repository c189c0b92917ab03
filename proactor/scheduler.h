// SPDX-License-Identifier: Apache-2.0
//
// Scheduler: one thread's loop. It resumes coroutines when what they wait for has happened.
//
//   Scheduler scheduler(std::move(proactor));
//   absl::Status status = scheduler.Run(Serve(address));
//
// Most programs call `Run` (run.h), which makes one. A loop that is not ours embeds a scheduler by calling `Turn`.
//
// Threads: a scheduler belongs to the thread that first runs it, and using it from another ends the process with a
//   sentence, except for `Post`, `counters` and `name`. Several schedulers may share a thread; none runs inside
//   another.
// Fork: it belongs to the process that made it. Using it in a child after fork(2) ends the child with a sentence; one
//   that has no task left may be destroyed there, which its parent does not notice. (A simulation goes on, as a copy.)
// End: the destructor is a `Shutdown`: it cancels every task that is left and waits for its end. However long that
//   takes, nothing is freed before: the kernel, or a thread of the pool, may still write there. So a program that is to
//   end in time calls `Shutdown(limit)`, and leaves by _exit(2) when that has failed.
#ifndef PROACTOR_SCHEDULER_H_
#define PROACTOR_SCHEDULER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/counters.h"
#include "proactor/proactor.h"
#include "proactor/task.h"
#include "proactor/task_record.h"

namespace proactor {

class Scheduler : private Loop {
 public:
  explicit Scheduler(std::unique_ptr<Proactor> proactor);
  ~Scheduler();

  // Runs the loop until `task` has its result, and yields it. Other tasks may be left; they go on in the next `Run`.
  template <class T>
  T Run(Task<T> task);

  // Starts a task that nobody awaits, in a later step of the loop. A failure, other than a cancellation, is logged with
  // the name. Prefer `TaskGroup::Spawn`: this is for the root.
  void Spawn(Task<absl::Status> task, TaskName name = "");

  // Calls `function` on the scheduler's thread, in a later step of the loop; in the order of posting for one sender.
  // Any thread, as long as the scheduler lives. What is posted and not yet called when it ends is destroyed uncalled.
  void Post(absl::AnyInvocable<void()> function);

  // Once around the loop: resumes what is ready, fires due timers, lets the proactor submit, wait (until `deadline` at
  // the latest, and not at all while something is ready) and complete, and takes what other threads sent.
  // With no task left and no deadline it waits for a post: a loop that is to end with the last task passes a deadline.
  void Turn(MonotonicTime deadline = MonotonicTime::Infinite());

  // Cancels every task that is running. Tasks spawned later are cancelled at once.
  void Cancel(std::string_view reason = "");

  // Cancels every task and runs the loop until all have ended, and with them what the kernel does ahead for streams and
  // listeners, but no longer than `limit`. Result: OK; or `kDeadlineExceeded`, which says who is left and what each
  // waits for. Those go on, and it may be called again.
  absl::Status Shutdown(absl::Duration limit);

  // The same without a limit. Who is left after 10 seconds is logged, and again after 20 more, 40 more, and so on.
  void Shutdown();

  MonotonicTime Now() const { return proactor_->Now(); }
  const Counters& counters() const { return proactor_->counters(); }
  // Of the proactor: "io_uring", "simulated".
  std::string_view name() const { return proactor_->name(); }
  Proactor& proactor() { return *proactor_; }

  // All tasks, and for each the coroutines from the outermost to the one that waits, and for what.
  std::string Dump() const { return DumpTasks(*root_scope_); }

  // Whether a task is left.
  bool idle() const { return root_scope_->tasks().empty(); }

 private:
  // A function on its way from another thread.
  struct PostedFunction;

  template <class T>
  class RunRecord;
  class SpawnRecord;

  // Binds the scheduler to this thread, if it is bound to none. `root`: what it is to run.
  void CheckThread(const PromiseBase* root = nullptr) {
    if (!thread.IsThisThread()) [[unlikely]]
      BindOrFail(root);
  }
  void BindOrFail(const PromiseBase* root);
  void ReceiveMessages();
  // Whether what `Run` or the destructor waits for has happened, so that this turn must not wait for more.
  bool Over() const { return main_over_ != nullptr ? *main_over_ : closing_ && idle() && armed_ == 0; }
  // Whether nothing is left that a shutdown waits for.
  bool ShutDown();

  std::unique_ptr<Proactor> proactor_;
  std::optional<CancelScope> root_scope_;  // Until the destructor's end.
  bool turning_ = false;
  bool closing_ = false;
  size_t armed_ = 0;                 // While closing: requests that no task waits for, and that have not ended.
  const bool* main_over_ = nullptr;  // Set by the task of the current `Run`.
};

template <class T>
class Scheduler::RunRecord final : public TaskRecord {
 public:
  explicit RunRecord(Scheduler& scheduler) : TaskRecord(scheduler, *scheduler.root_scope_, "main") {}
  const bool& over() const { return over_; }
  T TakeResult() {
    if constexpr (!std::is_void_v<T>) return *std::move(result_);
  }

 private:
  void Finished() override {
    auto& promise = static_cast<internal::Promise<T>&>(root());
    if constexpr (!std::is_void_v<T>) result_.emplace(promise.Take());
    internal::DestroyFrames(promise);
    over_ = true;
  }

  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> result_;
  bool over_ = false;
};

template <class T>
T Scheduler::Run(Task<T> task) {
  PromiseBase& root = std::move(task).Release();
  CheckThread(&root);
  RunRecord<T> record(*this);
  record.Start(root);
  main_over_ = &record.over();
  while (!record.over()) Turn();
  main_over_ = nullptr;
  return record.TakeResult();
}

}  // namespace proactor

#endif  // PROACTOR_SCHEDULER_H_
