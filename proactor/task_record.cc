// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_record.h"

#include "absl/strings/str_cat.h"

namespace proactor {

void TaskRecord::Start(PromiseBase& root) {
  root_ = &root;
  root.SetContext(context_);
  context_.loop->tasks.PushBack(*this);
  context_.loop->counters.tasks_started.Add();
  context_.loop->ready_queue.Push(*this);
}

void TaskRecord::RootFinished() {
  finished_ = true;
  context_.loop->ready_queue.Push(*this);
}

std::coroutine_handle<> TaskRecord::Resume() {
  if (!finished_) return root_->handle();
  ListNode<TaskRecord>::Unlink();
  context_.loop->counters.tasks_finished.Add();
  Finished();
  return nullptr;
}

std::string TaskRecord::Dump() const {
  std::string text = absl::StrCat("task ", name_.empty() ? "(unnamed)" : std::string(name_), "\n");
  std::string indent = "  ";
  for (const PromiseBase* promise = root_; promise != nullptr;) {
    absl::StrAppend(&text, indent, DescribeCoroutine(*promise));
    internal::ChildLink* link = promise->child_link();
    promise = link != nullptr ? link->child : nullptr;
    if (promise == nullptr) break;
    absl::StrAppend(&text, "\n");
    indent += "  ";
  }
  // The innermost coroutine is the one that waits for something other than a coroutine.
  const PromiseBase* innermost = root_;
  while (internal::ChildLink* link = innermost->child_link()) innermost = link->child;
  Suspension* suspension = innermost->awaiting();
  absl::StrAppend(&text, " waits for ", suspension != nullptr ? suspension->Describe() : "its turn to run", "\n");
  return text;
}

std::string DumpTasks(Loop& loop) {
  std::string text;
  for (TaskRecord* task = loop.tasks.front(); task != nullptr; task = loop.tasks.Next(*task)) {
    absl::StrAppend(&text, task->Dump());
  }
  return text;
}

}  // namespace proactor
