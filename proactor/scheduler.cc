// SPDX-License-Identifier: Apache-2.0
#include "proactor/scheduler.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/log.h"
#include "proactor/remote_message.h"
#include "proactor/remote_queue.h"

namespace proactor {
namespace {

// How long a shutdown may take before it is worth a line in the log, and how long that is at most.
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr size_t kLongestComplaint = 4000;

constexpr char kInstead[] = "send it work with Post";

// As many whole lines as there is room for, without the newline of the last.
std::string FirstLines(std::string text, size_t size) {
  if (text.size() <= size) {
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }
  size_t end = text.rfind('\n', size);
  text.resize(end != std::string::npos ? end : size);
  return text + "\n... and others";
}

}  // namespace

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

struct Scheduler::PostedFunction final : RemoteMessage {
  PostedFunction(absl::AnyInvocable<void()> function, Counters& counters)
      : function(std::move(function)), counters(counters) {}
  void Receive() override {
    std::unique_ptr<PostedFunction> self(this);
    counters.posts.Add();
    function();
  }
  void Discard() override { delete this; }
  absl::AnyInvocable<void()> function;
  Counters& counters;
};

Scheduler::Scheduler(std::unique_ptr<Proactor> proactor)
    : Loop{*proactor, *proactor, proactor->counters(), {}, TimerWheel(proactor->Now()), {}, MonotonicTime::Past(),
           1,         {}},
      proactor_(std::move(proactor)),
      root_scope_(std::in_place, static_cast<Loop&>(*this)) {
  chance = proactor_->seed();
  if (!proactor_->has_kernel()) thread.GoOnInChildren();
}

void Scheduler::Cancel(std::string_view reason) {
  thread.Check("A Scheduler", kInstead);
  root_scope_->Cancel(reason);
}

absl::Status Scheduler::Shutdown(absl::Duration limit) {
  CheckThread();
  closing_ = true;
  Cancel("the scheduler is shutting down");
  const MonotonicTime deadline = Now() + limit;
  while (!ShutDown()) {
    Turn(deadline);
    if (Now() < deadline || ShutDown()) continue;
    std::string left = Dump();
    if (armed_ > 0) {
      absl::StrAppend(
          &left, "requests to receive or accept ahead that the kernel was asked to end, and has not: ", armed_, "\n");
    }
    return absl::DeadlineExceededError(absl::StrCat("the scheduler is not shut down after ",
                                                    absl::FormatDuration(limit), ", because of\n",
                                                    FirstLines(std::move(left), kLongestComplaint)));
  }
  return absl::OkStatus();
}

bool Scheduler::ShutDown() {
  armed_ = idle() ? proactor_->Drain() : 0;
  return idle() && armed_ == 0;
}

void Scheduler::Shutdown() {
  absl::Status status;
  for (absl::Duration patience = kPatience; !(status = Shutdown(patience)).ok(); patience *= 2) {
    Log(LogSeverity::kWarning, absl::StrCat(status.message(),
                                            "\nIt waits on: their memory must not be freed while the kernel or a "
                                            "thread may write to it. Shutdown(limit) gives up in time."));
  }
}

Scheduler::~Scheduler() {
  // In a child after fork(2) nothing can be waited for. With a task left that is fatal.
  if (!idle() || (thread.IsThisThread() && !ShutDown())) Shutdown();
  root_scope_.reset();  // From here on no `Canceller` sends anything, nor does whoever is told here.
  while (LoopWatcher* watcher = watchers.PopFront()) watcher->LoopEnds();
  // What is destroyed unreceived may send once more.
  while (RemoteNode* node = remote_queue.TakeAll()) {
    while (node != nullptr) {
      RemoteMessage& message = static_cast<RemoteMessage&>(*node);
      node = node->next;
      message.Discard();
    }
  }
}

void Scheduler::Spawn(Task<absl::Status> task, TaskName name) {
  PromiseBase& root = std::move(task).Release();
  CheckThread(&root);
  (new SpawnRecord(*this, *root_scope_, name))->Start(root);
}

void Scheduler::Post(absl::AnyInvocable<void()> function) {
  thread.CheckProcess("A Scheduler");
  Send(*this, *new PostedFunction(std::move(function), Loop::counters));
}

void Scheduler::Turn(MonotonicTime deadline) {
  CheckThread();
  Check(!turning_, "Scheduler::Turn or Run was called from inside one of the scheduler's own tasks: await instead.");
  turning_ = true;
  Loop::counters.turns.Add();

  Loop::counters.resumes.Add(ready_queue.RunSome(ReadyQueue::kResumesPerTurn));
  if (!timers.empty()) Loop::counters.timers_fired.Add(timers.Advance(proactor_->Now()));

  bool sleeps = ready_queue.empty() && !Over() && remote_queue.Sleep();
  proactor_->Wait(sleeps ? std::min(timers.NextDeadline(), deadline) : MonotonicTime::Past());
  ReceiveMessages();
  ready_queue.TakeYielded();
  turning_ = false;
}

void Scheduler::ReceiveMessages() {
  for (RemoteNode* node = remote_queue.TakeAll(); node != nullptr;) {
    RemoteMessage& message = static_cast<RemoteMessage&>(*node);
    node = node->next;
    message.Receive();
  }
}

void Scheduler::BindOrFail(const PromiseBase* root) {
  if (!thread.bound()) thread.Bind();
  std::string whom = root != nullptr ? absl::StrCat(", for ", DescribeCoroutine(*root), ",") : "";
  thread.Check("A Scheduler" + whom, kInstead);
}

}  // namespace proactor
