// SPDX-License-Identifier: Apache-2.0
//
// PromiseBase: what each coroutine of the library knows of itself: its context, who awaits it, where it waits for what.
//
// Users write `Task<T>` (task.h) and meet this class only in its error messages. It keeps two promises:
//  - `await_transform` is the one place where context flows from a coroutine to what it awaits.
//  - A failure under `Try` climbs from frame to frame without resuming them (`Fail`), to the first coroutine that
//    awaits without `Try`. The frames it passed are destroyed by that coroutine, innermost first and without recursion
//    (`DestroyFrames`), never inside their own `await_suspend`.
//
// A type is awaitable in a Task when it has
//
//   template <bool kTry> auto MakeAwaiter(PromiseBase& promise, const Context& context) &&;
//
// whose result is the awaiter; `LeafAwaiter` (leaf_awaiter.h) makes one of a `Suspension`.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_PROMISE_H_
#define PROACTOR_PROMISE_H_

#include <bit>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/context.h"
#include "proactor/frame_pool.h"
#include "proactor/ready_queue.h"
#include "proactor/result.h"

namespace proactor {

class PromiseBase;

namespace internal {

// What a `std::source_location` is inside: a pointer, for which a frame does not need a place at each `co_await`.
using CallSite = decltype(__builtin_source_location());

template <class A>
concept Awaitable = requires(A&& awaitable, PromiseBase& promise, const Context& context) {
  std::move(awaitable).template MakeAwaiter<false>(promise, context);
};

// Destroys the frame of `outermost` and of all children that it still holds, from the innermost outwards.
void DestroyFrames(PromiseBase& outermost) noexcept;
void DestroyFrameAndChildren(PromiseBase& outermost) noexcept;  // The same, where there are any.

// The same for a coroutine that nobody ran, with a warning that names it.
void DestroyUnawaited(PromiseBase& promise) noexcept;

// Ends the process: `parent` awaits a Task that is empty.
[[noreturn]] void AwaitedTwice(const PromiseBase& parent);

// The failure of a coroutine that let an exception escape.
absl::Status EscapedException(const PromiseBase& promise, std::string_view what);

}  // namespace internal

class PromiseBase {
 public:
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  static void* operator new(size_t size) { return internal::AllocateFrame(size); }
  static void operator delete(void* frame, size_t size) noexcept { internal::FreeFrame(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }

  // The frame's layout does not depend on the promise's type as long as its alignment is ordinary (Promise asserts it).
  std::coroutine_handle<> handle() { return std::coroutine_handle<PromiseBase>::from_promise(*this); }

  const Context& context() const { return *context_; }
  // Null for the outermost coroutine of a task.
  PromiseBase* parent() const { return reinterpret_cast<PromiseBase*>(parent_ & ~kAwaitedByTry); }

  // Makes this coroutine a child, or the root of a task, before it starts.
  void SetContext(const Context& context) { context_ = &context; }
  void SetParent(PromiseBase& parent, bool by_try) {
    parent_ = reinterpret_cast<uintptr_t>(&parent) | (by_try ? kAwaitedByTry : 0);
  }

  // What this coroutine waits for, from suspension to resumption.
  void SetAwaiting(Suspension& suspension) { awaiting_ = reinterpret_cast<uintptr_t>(&suspension); }
  void SetAwaiting(PromiseBase& child) { awaiting_ = reinterpret_cast<uintptr_t>(&child) | kChild; }
  void ClearAwaiting() { awaiting_ = 0; }
  Suspension* awaiting() const {
    return (awaiting_ & kChild) == 0 ? reinterpret_cast<Suspension*>(awaiting_) : nullptr;
  }
  // The coroutine that it awaits, until that is gone.
  PromiseBase* child() const {
    return (awaiting_ & kChild) != 0 ? reinterpret_cast<PromiseBase*>(awaiting_ & ~kChild) : nullptr;
  }

  // Where the coroutine's latest `co_await` stands, and before the first, the coroutine itself.
  std::source_location where() const { return where_; }

  // What an `await_suspend` returns to continue with this coroutine: its handle, or nothing when its task has used up
  // its turn (ready_queue.h) and waits for the next one.
  std::coroutine_handle<> Transfer() {
    if (ReadyQueue::TakeTransfer()) [[likely]] {
      return handle();
    }
    return ContinueLater();
  }

  // Ends this coroutine, suspended in a `Try`, with a failure. Yields who continues.
  std::coroutine_handle<> Fail(absl::Status failure) {
    SetFailure(std::move(failure));
    return Finish();
  }

  // Tells whoever awaits this finished coroutine. Yields who continues.
  std::coroutine_handle<> Finish();
  // The same of the outermost coroutine of a task.
  std::coroutine_handle<> FinishTask();

  // The failure that this finished coroutine has for a result; OK if it has none.
  absl::Status TakeStatus() { return Failed() ? TakeFailure() : absl::OkStatus(); }

  // The choke point: records where the coroutine waits, and hands its context on.
  template <class A>
  auto await_transform(A&& awaitable, internal::CallSite where = __builtin_source_location()) {
    using Plain = std::remove_cvref_t<A>;
    static_assert(!std::is_lvalue_reference_v<A> || std::is_trivially_copyable_v<Plain>,
                  "A Task, like everything that is awaited once, must be awaited as an rvalue: "
                  "co_await std::move(task)");
    static_assert(internal::Awaitable<Plain>,
                  "This type cannot be awaited in a proactor::Task: await a Task, an Operation, Sleep, Try(...) and "
                  "the like, or give the type a MakeAwaiter (proactor/promise.h)");
    where_ = std::bit_cast<std::source_location>(where);
    // A copy of a temporary would cost the frame its size once more.
    using Awaited = std::conditional_t<std::is_same_v<A, Plain>, Plain&&, Plain>;
    return static_cast<Awaited>(awaitable).template MakeAwaiter<false>(*this, *context_);
  }

 protected:
  explicit PromiseBase(const std::source_location& where) : where_(where) {}
  ~PromiseBase() = default;

  // The result, as far as it is a status. Promises of types that cannot carry one never fail.
  virtual bool Failed() const = 0;
  virtual void SetFailure(absl::Status failure) = 0;
  virtual absl::Status TakeFailure() = 0;

  static constexpr uintptr_t kAwaitedByTry = 1;
  static constexpr uintptr_t kChild = 1;

 private:
  std::coroutine_handle<> ContinueLater();

  uintptr_t parent_ = 0;    // PromiseBase* | kAwaitedByTry
  uintptr_t awaiting_ = 0;  // Suspension*, or PromiseBase* | kChild
  const Context* context_;  // Set before it starts.
  std::source_location where_;
};

inline void internal::DestroyFrames(PromiseBase& outermost) noexcept {
  outermost.child() == nullptr ? outermost.handle().destroy() : DestroyFrameAndChildren(outermost);
}

// The coroutine's name and where it waits, such as "Echo (server.cc:12)"; the same of one that stood at `where`.
std::string DescribeCoroutine(const PromiseBase& promise);
std::string DescribeCoroutine(const std::source_location& where);

}  // namespace proactor

#endif  // PROACTOR_PROMISE_H_
