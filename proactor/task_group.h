// SPDX-License-Identifier: Apache-2.0
//
// TaskGroup: children that never outlive the body that started them.
//
//   absl::Status status = co_await WithTaskGroup([&](TaskGroup& group) -> Task<absl::Status> {
//     group.Spawn(Produce(queue), {.name = "producer"});
//     group.Spawn(Consume(queue), {.name = "consumer"});
//     co_return absl::OkStatus();
//   });
//
// `WithTaskGroup` runs the body, waits for every child, and yields the body's result, or the first failure.
//
//  - The first failure, of the body or of a child, cancels all the others; it is what the group yields. A child with
//    `.on_failure = kLog` fails alone: the failure is logged and the group goes on.
//  - Cancelling from outside, or a deadline around it, cancels the body and all children.
//  - A child runs for the first time in a later step of the loop, never inside `Spawn`.
//  - The body's own locals end with the body, before the children do. What children use (a coroutine lambda with
//    captures, too) is declared outside the body, or the body ends with `co_await group.Join()`.
//  - A child may spawn siblings as long as the group lives; in a cancelled group they start cancelled.
//
// The body is a lambda that captures by reference, or a named callable: GCC 12 destroys a temporary lambda with
// captures that need a destructor twice, so the compiler refuses one.
// Threads: the scheduler's.
#ifndef PROACTOR_TASK_GROUP_H_
#define PROACTOR_TASK_GROUP_H_

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/cancellation.h"
#include "proactor/child_count.h"
#include "proactor/promise.h"
#include "proactor/result.h"
#include "proactor/task.h"
#include "proactor/task_record.h"
#include "proactor/timeout.h"

namespace proactor {

// What the failure of a child does.
enum OnFailure : char {
  kCancelGroup,  // It becomes the group's result, and the other children are cancelled.
  kLog,          // It is logged. A child that ends with `kCancelled` is not logged.
};

struct SpawnOptions {
  std::string_view name = "";  // For people: dumps and logs. Must outlive the child; usually a literal.
  OnFailure on_failure = kCancelGroup;
};
static_assert(std::is_trivially_destructible_v<SpawnOptions>);

class TaskGroup {
 public:
  // Made by `WithTaskGroup`.
  explicit TaskGroup(const Context& context) : scope_(context) {}
  ~TaskGroup();

  // Starts a child: a Task of any type. Its result, if there is one beside a status, is dropped.
  template <class T>
  void Spawn(Task<T> task, SpawnOptions options = {}) {
    SpawnRoot(std::move(task).Release(), options);
  }

  // Cancels the body and all children. The group then yields what the body yields; cancelled children are no failure.
  void Cancel() { scope_.Cancel(); }
  bool cancelled() const { return scope_.cancelled(); }

  // How many children have not ended.
  int running() const { return children_.running(); }

  // Waits until no child is left: for a body whose locals its children use. Cannot be cancelled, as a group always
  // joins; a cancellation reaches the children, and they end it.
  auto Join() { return children_.Join(); }

  CancelScope& scope() { return scope_; }

 private:
  class Child;

  template <class Body>
  friend std::invoke_result_t<Body&, TaskGroup&> RunTaskGroup(Body body);

  void SpawnRoot(PromiseBase& root, SpawnOptions options);
  // Remembers the first failure, and cancels the rest.
  void Failed(absl::Status failure);

  CancelScope scope_;
  internal::ChildCount children_;
  absl::Status failure_;
};

// `Body` is a reference for a body that the caller keeps.
template <class Body>
std::invoke_result_t<Body&, TaskGroup&> RunTaskGroup(Body body) {
  using Result = typename std::invoke_result_t<Body&, TaskGroup&>::Result;
  static_assert(CarriesStatus<Result>,
                "The body of a task group returns Task<absl::Status> or Task<absl::StatusOr<T>>");
  TaskGroup group(co_await CurrentContext());
  Result result = co_await internal::InScope(group.scope_, body(group));
  if (!result.ok()) group.Failed(internal::StatusOf(result));
  co_await group.Join();
  if (!group.failure_.ok()) co_return std::move(group.failure_);
  co_return result;
}

// Runs `body(group)`, waits for its children, yields its result or the first failure. Awaited like any Task.
template <class Body>
requires std::invocable<Body&, TaskGroup&>
auto WithTaskGroup(Body&& body) {
  static_assert(std::is_lvalue_reference_v<Body> || std::is_trivially_destructible_v<Body>,
                "Name the body before you pass it (auto body = [...]; co_await WithTaskGroup(body)), or capture by "
                "reference: GCC 12 destroys such a temporary twice");
  return RunTaskGroup<Body>(std::forward<Body>(body));
}

}  // namespace proactor

#endif  // PROACTOR_TASK_GROUP_H_
