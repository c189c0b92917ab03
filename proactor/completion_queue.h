// SPDX-License-Identifier: Apache-2.0
//
// CompletionQueue: the results of several tasks, in the order in which they come.
//
//   auto body = [&](CompletionQueue<absl::StatusOr<Page>>& queue) -> Task<absl::Status> {
//     for (const std::string& url : urls) queue.Add(Fetch(url), {.name = "fetch"});
//     while (std::optional<absl::StatusOr<Page>> page = co_await Try(queue.Next())) Show(*page);
//     co_return absl::OkStatus();
//   };
//   absl::Status status = co_await WithCompletionQueue<absl::StatusOr<Page>>(body);
//
// `WithCompletionQueue` runs the body; when that ends, however it does, it cancels the tasks that are left, waits for
// them, and yields the body's result. Results that nobody has taken are dropped then. Who wants those too calls
// `Cancel`, and `Next` until there is nothing left: the body itself is not cancelled by that.
//
//  - A failure is a result like others, and cancels nobody.
//  - Tasks may be added at any time, by the tasks too; they start in a later step of the loop.
//  - Several may wait for the next result; first come, first served. A result goes to one of them, and who has been
//    given one gets it in spite of a cancellation.
//
// Threads: the scheduler's.
#ifndef PROACTOR_COMPLETION_QUEUE_H_
#define PROACTOR_COMPLETION_QUEUE_H_

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/branch.h"
#include "proactor/cancellation.h"
#include "proactor/child_count.h"
#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"
#include "proactor/result.h"
#include "proactor/sync/waiter_list.h"
#include "proactor/task.h"
#include "proactor/task_record.h"
#include "proactor/timeout.h"

namespace proactor {

struct AddOptions {
  std::string_view name = "";  // For people: dumps. Must outlive the task; usually a literal.
};

template <class R>
class CompletionQueue {
 public:
  // Made by `WithCompletionQueue`.
  explicit CompletionQueue(const Context& context) : scope_(context) {}
  ~CompletionQueue() {
    Check(running() == 0, "A CompletionQueue was destroyed with tasks running: make it with WithCompletionQueue.");
    while (Suspension* ended = ended_.Pop()) delete static_cast<Entry*>(ended);
  }

  // Starts a task, or anything else that yields an R when it is awaited.
  template <internal::Awaitable A>
  requires std::same_as<internal::AwaitResult<A>, R>
  void Add(A awaitable, AddOptions options = {}) {
    children_.Add();
    (new Entry(*this, options.name))->Start(internal::AsTask(std::move(awaitable)).Release());
  }

  // Waits for the next result: a std::optional<R>, empty when no task is left. Cancelled: `kCancelled`.
  auto Next() { return NextAwaitable{*this}; }

  // Cancels all tasks; what they end with comes out of `Next` like everything else.
  void Cancel(std::string_view reason = "") { scope_.Cancel(reason); }

  // How many tasks have not ended.
  int running() const { return children_.running(); }

 private:
  class Entry;
  class PendingNext;

  struct [[nodiscard]] NextAwaitable {
    CompletionQueue& queue;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingNext, kTry>(promise, context, queue);
    }
  };

  template <class Result, class Body>
  friend std::invoke_result_t<Body&, CompletionQueue<Result>&> RunCompletionQueue(Body body);

  void Ended(Entry& entry);

  CancelScope scope_;
  internal::ChildCount children_;
  SuspensionQueue ended_;  // Entries whose result nobody has taken yet, in order.
  WaiterList waiters_;
};

// A task, and then its result.
template <class R>
class CompletionQueue<R>::Entry final : public TaskRecord {
 public:
  Entry(CompletionQueue& queue, std::string_view name)
      : TaskRecord(*queue.scope_.context().loop, queue.scope_, name), queue_(queue) {}

  R& result() { return *result_; }

 private:
  void Finished() override {
    auto& promise = static_cast<internal::Promise<R>&>(root());
    result_.emplace(promise.Take());
    internal::DestroyFrames(promise);
    queue_.Ended(*this);
  }

  CompletionQueue& queue_;
  std::optional<R> result_;
};

template <class R>
class CompletionQueue<R>::PendingNext : public Waiter {
 public:
  PendingNext(PromiseBase& promise, const Context& context, CompletionQueue& queue)
      : Waiter(promise, context), queue_(queue) {}
  ~PendingNext() { delete entry_; }

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    entry_ = static_cast<Entry*>(queue_.ended_.Pop());
    return entry_ != nullptr || queue_.running() == 0 ? Settle(kGranted) : WaitIn(queue_.waiters_);
  }
  std::optional<R> TakeValue() {
    if (entry_ == nullptr) return std::nullopt;
    return std::move(entry_->result());
  }
  absl::StatusOr<std::optional<R>> TakeResult() {
    if (Failed()) return TakeFailure();
    return absl::StatusOr<std::optional<R>>(TakeValue());
  }
  std::string Describe() const final { return "a result of its completion queue"; }

  void Give(Entry& entry) { entry_ = &entry; }

 private:
  CompletionQueue& queue_;
  Entry* entry_ = nullptr;
};

template <class R>
void CompletionQueue<R>::Ended(Entry& entry) {
  if (Waiter* first = waiters_.front(); first != nullptr) {
    static_cast<PendingNext*>(first)->Give(entry);
    waiters_.Wake(*first);
  } else {
    ended_.Push(entry);
  }
  children_.Remove(scope_.context().loop->ready_queue);
  // Nothing is left to wait for.
  if (running() == 0) waiters_.WakeAll();
}

// `Body` is a reference for a body that the caller keeps.
template <class R, class Body>
std::invoke_result_t<Body&, CompletionQueue<R>&> RunCompletionQueue(Body body) {
  using Result = typename std::invoke_result_t<Body&, CompletionQueue<R>&>::Result;
  static_assert(CarriesStatus<Result>,
                "The body of a completion queue returns Task<absl::Status> or Task<absl::StatusOr<T>>");
  CompletionQueue<R> queue(co_await CurrentContext());
  Result result = co_await body(queue);
  if (queue.running() > 0) queue.Cancel("its completion queue has ended");
  co_await queue.children_.Join();
  co_return result;
}

// Runs `body(queue)`, ends what is left, yields the body's result. Awaited like any Task.
template <class R, class Body>
requires(std::invocable<Body&, CompletionQueue<R>&>) auto WithCompletionQueue(Body&& body) {
  static_assert(std::is_lvalue_reference_v<Body> || std::is_trivially_destructible_v<Body>,
                "Name the body before you pass it (auto body = [...]; co_await WithCompletionQueue<R>(body)), or "
                "capture by reference: GCC 12 destroys such a temporary twice");
  return RunCompletionQueue<R, Body>(std::forward<Body>(body));
}

}  // namespace proactor

#endif  // PROACTOR_COMPLETION_QUEUE_H_
