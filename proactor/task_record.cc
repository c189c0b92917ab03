// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_record.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "proactor/cancellation.h"

namespace proactor {

TaskRecord::TaskRecord(Loop& loop, CancelScope& scope, const TaskName& name)
    : context_{&loop, &scope, this, scope.context().locals} {
  SetName(name);
}

void TaskRecord::CopyName() {
  name_ = static_cast<char*>(std::memcpy(internal::AllocateFrame(name_size_), name_, name_size_));
}

void TaskRecord::Start(PromiseBase& root) { StartFrom(root, context_.loop->ready_queue); }

void TaskRecord::StartFrom(PromiseBase& root, SuspensionQueue& line) {
  root_ = &root;
  next_ = &root;
  root.SetContext(context_);
  context_.scope->tasks_.PushBack(*this);
  context_.loop->counters.tasks_started.Add();
  line.Push(*this);
}

void TaskRecord::ContinueLater(PromiseBase& next) {
  next_ = &next;
  context_.loop->ready_queue.Push(*this);
}

void TaskRecord::End() {
  ListNode<TaskRecord>::Unlink();
  context_.loop->counters.tasks_finished.Add();
  Finished();
}

Suspension* TaskRecord::waiting() const {
  if (root_ == nullptr) return nullptr;
  const PromiseBase* innermost = root_;
  while (const PromiseBase* child = innermost->child()) innermost = child;
  return innermost->awaiting();
}

std::string TaskRecord::Dump() const {
  std::string text = absl::StrCat("task ", name().empty() ? "(unnamed)" : std::string(name()));
  std::string indent = "\n  ";
  for (const PromiseBase* promise = root_; promise != nullptr; promise = promise->child()) {
    absl::StrAppend(&text, indent, DescribeCoroutine(*promise));
    indent += "  ";
  }
  Suspension* suspension = waiting();
  absl::StrAppend(&text, " waits for ", suspension != nullptr ? suspension->Describe() : "its turn to run", "\n");
  return text;
}

std::string DumpTasks(const CancelScope& scope) {
  std::string text;
  for (TaskRecord* task = scope.tasks().front(); task != nullptr; task = scope.tasks().Next(*task)) {
    absl::StrAppend(&text, task->Dump());
  }
  for (CancelScope* inner = scope.children().front(); inner != nullptr; inner = scope.children().Next(*inner)) {
    absl::StrAppend(&text, DumpTasks(*inner));
  }
  return text;
}

}  // namespace proactor
