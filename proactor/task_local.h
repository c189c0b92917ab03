// SPDX-License-Identifier: Apache-2.0
//
// TaskLocal<T>: a value for everything that happens on behalf of something, without passing it to every function.
//
//   constinit TaskLocal<int64_t> request_id(0);                                // 0 where nothing is bound
//
//   co_await Try(WithTaskLocal(request_id, NextId(), Handle(std::move(request))));
//   LOG(INFO) << "request " << co_await request_id.Get();                      // in Handle, and in all below
//
//  - The value is bound for as long as the awaitable lasts, and seen by what that awaits, however deep. A binding
//    inside hides one outside.
//  - Children inherit what was bound where their group was made (`WithTaskGroup`, `All`, `Any`), not where they were
//    spawned: what a child sees must outlive it. The same is true of what runs in a scope that was made elsewhere. A
//    task at the root (`Scheduler::Spawn`) sees no value.
//  - Reading does not suspend, and takes a walk through the bindings around it, of all locals. Nothing is allocated.
//
// The value is constant; what it points to need not be. A local lives as long as all that may read it: it is a global.
//
// Threads: each scheduler's tasks see their own.
#ifndef PROACTOR_TASK_LOCAL_H_
#define PROACTOR_TASK_LOCAL_H_

#include <coroutine>
#include <type_traits>
#include <utility>

#include "proactor/context.h"
#include "proactor/promise.h"
#include "proactor/task.h"
#include "proactor/timeout.h"

namespace proactor {
namespace internal {

// A value bound to a local, in the frame of `WithTaskLocal`; the context leads to the innermost.
struct TaskLocalBinding {
  const TaskLocalBinding* outer;
  const void* local;
};

template <class T>
struct TaskLocalValue : TaskLocalBinding {
  T value;
};

// An awaitable together with the context that it runs in, which outlives it.
template <class A>
class [[nodiscard]] InContext {
 public:
  InContext(const Context& context, A&& awaitable) : context_(context), awaitable_(std::move(awaitable)) {}
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context&) && {
    return std::move(awaitable_).template MakeAwaiter<kTry>(promise, context_);
  }

 private:
  const Context& context_;
  A awaitable_;
};

}  // namespace internal

template <class T>
class TaskLocal {
 public:
  // `unbound` is the value where nothing is bound.
  constexpr explicit TaskLocal(T unbound = T()) : unbound_(std::move(unbound)) {}
  TaskLocal(const TaskLocal&) = delete;

  // Yields a reference to the value, good for as long as the coroutine that asks runs.
  auto Get() const { return GetAwaitable{*this}; }

  // The same for code that has a context (context.h) and is no coroutine.
  const T& Get(const Context& context) const {
    for (const internal::TaskLocalBinding* binding = context.locals; binding != nullptr; binding = binding->outer) {
      if (binding->local == this) return static_cast<const internal::TaskLocalValue<T>*>(binding)->value;
    }
    return unbound_;
  }

 private:
  struct GetAwaitable {
    struct Awaiter {
      const T& value;
      bool await_ready() const noexcept { return true; }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      const T& await_resume() const noexcept { return value; }
    };
    template <bool kTry>
    Awaiter MakeAwaiter(PromiseBase&, const Context& context) && {
      return {local.Get(context)};
    }
    const TaskLocal& local;
  };

  T unbound_;
};

// Awaits `awaitable` with `value` bound to `local`. Result: that of the awaitable.
template <class T, class A>
Task<internal::AwaitResult<A>> WithTaskLocal(const TaskLocal<T>& local, std::type_identity_t<T> value, A awaitable) {
  Context context = co_await CurrentContext();
  const internal::TaskLocalValue<T> binding{{context.locals, &local}, std::move(value)};
  context.locals = &binding;
  co_return co_await internal::InContext<A>(context, std::move(awaitable));
}

}  // namespace proactor

#endif  // PROACTOR_TASK_LOCAL_H_
