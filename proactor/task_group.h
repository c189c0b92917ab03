// SPDX-License-Identifier: Apache-2.0
//
// TaskGroup: children that never outlive the body that started them.
//
//   absl::Status status = co_await WithTaskGroup([&](TaskGroup& group) -> Task<absl::Status> {
//     group.Spawn(Produce(queue), {.name = "producer"});
//     group.Spawn([&queue] { return Consume(queue); }, {.name = "consumer"});
//     co_return absl::OkStatus();
//   });
//
// `WithTaskGroup` runs the body, waits for every child, and yields the body's result, or the first failure.
//
//  - The first failure, of the body or of a child, cancels all the others; it is what the group yields. A child with
//    `.on_failure = kLog` fails alone: the failure is logged and the group goes on. With `.collect_failures` all do;
//    the group then yields all failures in one status.
//  - Cancelling from outside, or a deadline around it, cancels the body and all children.
//  - A child first runs in a later step of the loop, never inside `Spawn`; children begin in the order of spawning.
//  - The body's own locals end with the body, before the children do. What children refer to is declared outside the
//    body, or the body ends with `co_await group.Join()`. A coroutine lambda with captures is passed itself, as above,
//    rather than called: the group then keeps it as long as the child runs.
//  - A child may spawn siblings as long as the group lives; in a cancelled group they start cancelled.
//
// The body is a lambda that captures by reference, or a named callable: GCC 12 destroys a temporary lambda with
// captures that need a destructor twice, so the compiler refuses one.
// Threads: the scheduler's.
#ifndef PROACTOR_TASK_GROUP_H_
#define PROACTOR_TASK_GROUP_H_

#include <concepts>
#include <cstdint>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/cancellation.h"
#include "proactor/child_count.h"
#include "proactor/failures.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"
#include "proactor/result.h"
#include "proactor/sync/waiter_list.h"
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
  TaskName name = "";  // For people: dumps and logs.
  OnFailure on_failure = kCancelGroup;
};
static_assert(std::is_trivially_destructible_v<SpawnOptions>);

struct TaskGroupOptions {
  // How many children may run at the same time; 0 for any number. Those above it stand in line, and start in order.
  int max_running = 0;
  // A failure, of a child or of the body, cancels nobody; the group yields a status that names each (failures.h).
  bool collect_failures = false;
};
static_assert(std::is_trivially_destructible_v<TaskGroupOptions>);

class TaskGroup {
 public:
  // Made by `WithTaskGroup`.
  explicit TaskGroup(const Context& context, TaskGroupOptions options = {}) : scope_(context), options_(options) {}
  ~TaskGroup();

  // Starts a child: a Task of any type. Its result, if there is one beside a status, is dropped.
  template <class T>
  void Spawn(Task<T> task, SpawnOptions options = {}) {
    SpawnRoot(std::move(task).Release(), options);
  }
  // The same for what `body()` returns. The child owns the body, so its captures live as long as it runs.
  template <std::invocable Body>
  void Spawn(Body body, SpawnOptions options = {}) {
    Spawn(RunOwned(std::move(body)), options);
  }

  // Waits until one more child could run at once, in a group with `max_running`: for a loop that takes no more than it
  // can handle. Result: OK. Cancelled: `kCancelled`.
  auto WaitForRoom();

  // Cancels the body and all children. The group yields what the body yields: being cancelled is no failure then.
  void Cancel(std::string_view reason = "");
  bool cancelled() const { return scope_.cancelled(); }

  int running() const { return children_.running(); }  // How many children have not ended, those in line included.

  // Waits until no child is left: for a body whose locals they use. A cancellation reaches them only, and they end it.
  auto Join(std::source_location where = std::source_location::current());

  CancelScope& scope() { return scope_; }

 private:
  class Child;
  class PendingRoom;
  struct RoomAwaitable;
  static constexpr uint32_t kAlive = 0x67726f75;

  template <class Body>
  friend std::invoke_result_t<Body&, TaskGroup&> RunTaskGroup(Body body, TaskGroupOptions options);

  template <class Body>
  static std::invoke_result_t<Body&> RunOwned(Body body) {
    co_return co_await body();
  }

  void SpawnRoot(PromiseBase& root, const SpawnOptions& options);
  // Remembers the failure, and, if it is the first and decides, cancels the rest.
  void Failed(std::string_view name, absl::Status failure);
  // A child has ended, in a group with `max_running`: the next in line gets its place.
  void FreePlace();
  bool HasRoom() const { return options_.max_running <= 0 || places_taken_ < options_.max_running; }
  // Ends the process if the group has ended: what was in its memory then is mostly still there.
  void CheckAlive(const char* use, const std::source_location& where = {}) const {
    if (mark_ != kAlive) [[unlikely]] UsedAfterItsEnd(use, where);
  }
  [[noreturn, gnu::cold]] static void UsedAfterItsEnd(std::string_view use, const std::source_location& where);

  uint32_t mark_ = kAlive;
  int places_taken_ = 0;  // With `max_running`: by children that are not in line.
  CancelScope scope_;
  internal::ChildCount children_;
  TaskGroupOptions options_;
  Child* spare_ = nullptr;  // The record of one that has ended, for the next.
  SuspensionQueue line_;
  WaiterList wait_for_room_;
  absl::Status failure_;  // The first, unless they are collected.
  Failures failures_;
};

class TaskGroup::PendingRoom : public Waiter {
 public:
  PendingRoom(PromiseBase& promise, const Context& context, TaskGroup& group)
      : Waiter(promise, context), group_(group) {}

  bool Start() {
    group_.CheckAlive("WaitForRoom");
    if (ScopeCancelled()) return Settle(kCancelled);
    return group_.HasRoom() ? Settle(kGranted) : WaitIn(group_.wait_for_room_);
  }
  bool StopWaiting();
  std::string Describe() const final { return "room in its group"; }

 private:
  TaskGroup& group_;
};

struct [[nodiscard]] TaskGroup::RoomAwaitable {
  TaskGroup& group;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingRoom, kTry>(promise, context, group);
  }
};

inline auto TaskGroup::WaitForRoom() { return RoomAwaitable{*this}; }

inline auto TaskGroup::Join(std::source_location where) {
  CheckAlive("Join in ", where);
  return children_.Join();
}

// `Body` is a reference for a body that the caller keeps.
template <class Body>
std::invoke_result_t<Body&, TaskGroup&> RunTaskGroup(Body body, TaskGroupOptions options) {
  using Result = typename std::invoke_result_t<Body&, TaskGroup&>::Result;
  static_assert(CarriesStatus<Result>,
                "The body of a task group returns Task<absl::Status> or Task<absl::StatusOr<T>>");
  TaskGroup group(co_await CurrentContext(), options);
  Result result = co_await internal::InScope(group.scope_, body(group));
  if (!result.ok()) group.Failed("the body", internal::StatusOf(result));
  co_await group.Join();
  if (group.failures_.count() > 0) co_return group.failures_.Summary();
  if (!group.failure_.ok()) co_return std::move(group.failure_);
  co_return result;
}

// Runs `body(group)`, waits for its children, yields its result or the first failure. Awaited like any Task.
template <class Body>
  requires std::invocable<Body&, TaskGroup&>
auto WithTaskGroup(Body&& body, TaskGroupOptions options = {}) {
  static_assert(std::is_lvalue_reference_v<Body> || std::is_trivially_destructible_v<Body>,
                "Name the body before you pass it (auto body = [...]; co_await WithTaskGroup(body)), or capture by "
                "reference: GCC 12 destroys such a temporary twice");
  return RunTaskGroup<Body>(std::forward<Body>(body), options);
}

}  // namespace proactor

#endif  // PROACTOR_TASK_GROUP_H_
