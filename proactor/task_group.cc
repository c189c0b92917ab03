// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_group.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/frame_pool.h"
#include "proactor/log.h"
#include "proactor/log_failure.h"

namespace proactor {

class TaskGroup::Child final : public TaskRecord {
 public:
  Child(TaskGroup& group, const SpawnOptions& options)
      : TaskRecord(*group.scope_.context().loop, group.scope_, options.name),
        group_(group),
        on_failure_(options.on_failure) {}

  // It has ended, and is to be another child of its group.
  void BeginAgain(const SpawnOptions& options) {
    SetName(options.name);
    on_failure_ = options.on_failure;
  }

 private:
  void Finished() override {
    absl::Status failure = root().TakeStatus();
    internal::DestroyFrames(root());
    TaskGroup& group = group_;
    ReadyQueue& ready_queue = context().loop->ready_queue;
    if (!failure.ok()) [[unlikely]] {
      if (on_failure_ == kCancelGroup) {
        group.Failed(name(), std::move(failure));
      } else {
        internal::LogTaskFailure(name(), failure);
      }
    }
    PutAway();
    if (group.options_.max_running > 0) group.FreePlace();
    group.children_.Remove(ready_queue);
  }

  // One is enough for children that come one after the other.
  void PutAway() {
    if (!internal::kFramesArePooled || group_.spare_ != nullptr) {
      delete this;
    } else {
      DropName();
      group_.spare_ = this;
    }
  }

  TaskGroup& group_;
  OnFailure on_failure_;
};

TaskGroup::~TaskGroup() {
  delete spare_;
  Check(running() == 0, "A TaskGroup was destroyed with children running: make it with WithTaskGroup, and await that.");
  // Volatile, because the compiler knows that nobody may look any more.
  *const_cast<volatile uint32_t*>(&mark_) = 0;
}

void TaskGroup::SpawnRoot(PromiseBase& root, const SpawnOptions& options) {
  if (mark_ != kAlive) [[unlikely]] {
    std::string name(options.name.text());
    UsedAfterItsEnd(name.empty() ? "Spawn of " : absl::StrCat("Spawn of ", name, ", "), root.where());
  }
  if (Loop& loop = *scope_.context().loop; !loop.thread.IsThisThread()) [[unlikely]] {
    loop.thread.Check(absl::StrCat("A TaskGroup, for ", DescribeCoroutine(root), ","),
                      "have its scheduler spawn, with Post");
  }
  children_.Add();
  Child* child = std::exchange(spare_, nullptr);
  if (child != nullptr) {
    child->BeginAgain(options);
  } else {
    child = new Child(*this, options);
  }
  if (HasRoom()) {
    if (options_.max_running > 0) ++places_taken_;
    child->Start(root);
  } else {
    child->StartFrom(root, line_);
  }
}

void TaskGroup::FreePlace() {
  if (Suspension* next = line_.Pop(); next != nullptr) {
    scope_.context().loop->ready_queue.Push(*next);
  } else {
    --places_taken_;
    // All, because who is woken need not spawn anything, and the others must not wait for that.
    wait_for_room_.WakeAll();
  }
}

// Of several who were woken, others may have been faster.
bool TaskGroup::PendingRoom::StopWaiting() {
  Waiter::StopWaiting();
  if (Failed()) return true;
  group_.CheckAlive("WaitForRoom");
  if (group_.HasRoom()) return true;
  if (!ScopeCancelled()) return !WaitIn(group_.wait_for_room_);
  Leave(kCancelled);
  return true;
}

void TaskGroup::Cancel(std::string_view reason) {
  CheckAlive("Cancel");
  scope_.Cancel(reason);
}

void TaskGroup::Failed(std::string_view name, absl::Status failure) {
  // After `Cancel`, those who say so only did what they were told.
  if (scope_.cause() == CancelCause::kRequested && absl::IsCancelled(failure)) return;
  if (options_.collect_failures) {
    failures_.Add(name, failure);
  } else if (failure_.ok()) {
    failure_ = std::move(failure);
    scope_.Cancel("another task of its group failed");
  }
}

void TaskGroup::UsedAfterItsEnd(std::string_view use, const std::source_location& where) {
  bool known = where.line() != 0;
  CheckFailed(absl::StrCat("A TaskGroup was used after its end (", std::string(use),
                           known ? DescribeCoroutine(where) : "",
                           "): it has ended with its last child; whoever spawns must be its body or a child."));
}

}  // namespace proactor
