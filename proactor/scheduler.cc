// SPDX-License-Identifier: Apache-2.0
#include "proactor/scheduler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

// A task that nobody joins.
class Scheduler::SpawnRecord final : public TaskRecord {
 public:
  using TaskRecord::TaskRecord;

 private:
  void Finished() override {
    absl::Status status = root().TakeStatus();
    internal::DestroyFrames(root());
    if (!status.ok() && !absl::IsCancelled(status)) {
      Log(LogSeverity::kError, absl::StrCat("task ", std::string(name()), " failed: ", status.ToString()));
    }
    delete this;
  }
};

Scheduler::Scheduler(std::unique_ptr<Proactor> proactor)
    : Loop{*proactor, *proactor, proactor->counters(), {}, TimerWheel(proactor->Now())},
      proactor_(std::move(proactor)),
      root_scope_(*this) {}

void Scheduler::Shutdown() {
  closing_ = true;
  root_scope_.Cancel();
  while (!idle()) Turn();
}

Scheduler::~Scheduler() {
  Shutdown();
  // Functions that nobody will call are destroyed here, on the scheduler's thread.
  for (RemoteNode* node = remote_queue_.TakeAll(); node != nullptr;) {
    std::unique_ptr<PostedFunction> posted(static_cast<PostedFunction*>(node));
    node = node->next;
  }
}

void Scheduler::Spawn(Task<absl::Status> task, std::string_view name) {
  CheckThread();
  (new SpawnRecord(*this, root_scope_, name))->Start(std::move(task).Release());
}

void Scheduler::Post(absl::AnyInvocable<void()> function) {
  auto* posted = new PostedFunction(std::move(function));
  if (remote_queue_.Push(*posted)) {
    Loop::counters.wakes_sent.AddShared();
    proactor_->Wake();
  } else {
    Loop::counters.wakes_elided.AddShared();
  }
}

void Scheduler::Turn(MonotonicTime deadline) {
  CheckThread();
  Check(!turning_, "Scheduler::Turn or Run was called from inside one of the scheduler's own tasks: await instead.");
  turning_ = true;
  Loop::counters.turns.Add();

  Loop::counters.resumes.Add(ready_queue.RunSome(kResumesPerTurn));
  if (!timers.empty()) Loop::counters.timers_fired.Add(timers.Advance(proactor_->Now()));

  bool sleeps = ready_queue.empty() && !Over() && remote_queue_.Sleep();
  proactor_->Wait(sleeps ? std::min(timers.NextDeadline(), deadline) : MonotonicTime::Past());
  ReceivePosts();
  turning_ = false;
}

void Scheduler::ReceivePosts() {
  for (RemoteNode* node = remote_queue_.TakeAll(); node != nullptr;) {
    std::unique_ptr<PostedFunction> posted(static_cast<PostedFunction*>(node));
    node = node->next;
    Loop::counters.posts.Add();
    posted->function();
  }
}

void Scheduler::CheckThread() {
  // Its address tells threads apart, for less than asking who this is.
  static thread_local constinit char mark = 0;
  if (thread_ == nullptr) thread_ = &mark;
  Check(thread_ == &mark,
        "A Scheduler was used from a thread other than the one that runs it: send it work with Post.");
}

}  // namespace proactor
