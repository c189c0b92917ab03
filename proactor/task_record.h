// SPDX-License-Identifier: Apache-2.0
//
// TaskRecord: the identity of a task: everything a scheduler knows of a coroutine that was spawned rather than awaited.
//
// It holds the context that all coroutines of the task share, runs the outermost one when its turn comes, and hears of
// its end. `Scheduler::Run`, `Scheduler::Spawn` and `TaskGroup::Spawn` each derive one. It is a suspension before the
// first resumption, whenever the task has used up its turn without waiting for anything, and after the last, so that
// frames are destroyed by the ready queue and never from within themselves.
//
//   auto* record = new ChildRecord(loop, scope, "connection");   // A class derived from TaskRecord.
//   record->Start(std::move(task).Release());                     // Its `Finished` will be called once.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_TASK_RECORD_H_
#define PROACTOR_TASK_RECORD_H_

#include <coroutine>
#include <cstdint>
#include <string>
#include <string_view>

#include "proactor/context.h"
#include "proactor/frame_pool.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"

namespace proactor {

// What a task is called, in dumps and logs. A literal costs nothing; any other text is copied when the task begins.
class TaskName {
 public:
  consteval TaskName(const char* literal) : text_(literal), literal_(true) {}
  TaskName(std::string_view text) : text_(text), literal_(false) {}
  TaskName(const std::string& text) : text_(text), literal_(false) {}

  constexpr std::string_view text() const { return text_; }
  constexpr bool literal() const { return literal_; }

 private:
  std::string_view text_;
  bool literal_;
};

class TaskRecord : public Suspension, private ListNode<TaskRecord> {
 public:
  // The new task runs in `scope`, and inherits the task-local values that were bound where that was made.
  TaskRecord(Loop& loop, CancelScope& scope, const TaskName& name);

  static void* operator new(size_t size) { return internal::AllocateFrame(size); }
  static void operator delete(void* record, size_t size) noexcept { internal::FreeFrame(record, size); }

  // Takes charge of a coroutine that has not started, and lets it run in a later step of the loop.
  void Start(PromiseBase& root);
  // The same, but it stands in `line`, and runs once somebody has moved it from there to the ready queue.
  void StartFrom(PromiseBase& root, SuspensionQueue& line);

  // Lets the task go on with `next`, one of its coroutines, when what is ready by now has run.
  void ContinueLater(PromiseBase& next);

  // The outermost coroutine has its result, and is suspended.
  void RootFinished() {
    next_ = nullptr;
    context_.loop->ready_queue.Continue(*this);
  }

  const Context& context() const { return context_; }
  std::string_view name() const { return {name_, name_size_}; }
  PromiseBase& root() const { return *root_; }

  // What the task waits for: that of its innermost coroutine. Null while it runs, or waits for its turn.
  Suspension* waiting() const;

  // The chain of coroutines from the outermost to the one that waits, and what that waits for. One line each.
  std::string Dump() const;

  std::coroutine_handle<> Resume() final {
    if (next_ != nullptr) return next_->handle();
    End();
    return nullptr;
  }
  void Cancel() final {}
  const CancelScope* scope() const final { return nullptr; }
  std::string Describe() const final { return "its turn"; }

 protected:
  ~TaskRecord() { DropName(); }
  // For a record that is used once more, for another task of its scope: in between it has no name.
  void SetName(const TaskName& name) {
    name_ = name.text().data();
    name_size_ = static_cast<uint32_t>(name.text().size());
    name_is_copy_ = !name.literal() && name_size_ > 0;
    if (name_is_copy_) [[unlikely]] CopyName();
  }
  void DropName() {
    if (name_is_copy_) [[unlikely]] internal::FreeFrame(const_cast<char*>(name_), name_size_);
    name_is_copy_ = false;
  }

  // The task is over: take the result from `root()`, destroy the frames, tell whoever joins. May delete this record.
  virtual void Finished() = 0;

 private:
  template <class, class>
  friend class IntrusiveList;

  void CopyName();
  void End();

  const Context context_;
  // Not beside `root_`: GCC would write both at once, by way of a vector register, and who reads them waits for that.
  PromiseBase* next_ = nullptr;  // Who continues when the task's turn comes; null at its end.
  const char* name_;
  uint32_t name_size_;
  bool name_is_copy_;
  PromiseBase* root_ = nullptr;
};

namespace internal {

struct CurrentTaskNameAwaitable {
  struct Awaiter {
    std::string_view name;
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    std::string_view await_resume() const noexcept { return name; }
  };
  template <bool kTry>
  Awaiter MakeAwaiter(PromiseBase&, const Context& context) && {
    return {context.task->name()};
  }
};

}  // namespace internal

// Yields the name of the task of the coroutine that awaits it, without suspending: for its own logs.
inline internal::CurrentTaskNameAwaitable CurrentTaskName() { return {}; }

// All tasks in a scope and in the scopes inside it, each by its `Dump`.
std::string DumpTasks(const CancelScope& scope);

}  // namespace proactor

#endif  // PROACTOR_TASK_RECORD_H_
