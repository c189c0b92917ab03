// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_group.h"

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

class TaskGroup::Child final : public TaskRecord {
 public:
  Child(TaskGroup& group, SpawnOptions options)
      : TaskRecord(*group.scope_.context().loop, group.scope_, options.name),
        group_(group),
        on_failure_(options.on_failure) {}

 private:
  void Finished() override {
    absl::Status failure = root().TakeStatus();
    internal::DestroyFrames(root());
    TaskGroup& group = group_;
    if (!failure.ok()) {
      if (on_failure_ == kCancelGroup) {
        group.Failed(std::move(failure));
      } else if (!absl::IsCancelled(failure)) {
        Log(LogSeverity::kWarning,
            absl::StrCat("task ", name().empty() ? "(unnamed)" : std::string(name()), ": ", failure.ToString()));
      }
    }
    delete this;
    group.children_.Remove(group.scope_.context().loop->ready_queue);
  }

  TaskGroup& group_;
  OnFailure on_failure_;
};

TaskGroup::~TaskGroup() {
  Check(running() == 0, "A TaskGroup was destroyed with children running: make it with WithTaskGroup, and await that.");
}

void TaskGroup::SpawnRoot(PromiseBase& root, SpawnOptions options) {
  children_.Add();
  (new Child(*this, options))->Start(root);
}

void TaskGroup::Failed(absl::Status failure) {
  if (!failure_.ok()) return;
  // After `Cancel`, those who say so only did what they were told.
  if (scope_.cause() == CancelCause::kRequested && absl::IsCancelled(failure)) return;
  failure_ = std::move(failure);
  scope_.Cancel();
}

}  // namespace proactor
