// SPDX-License-Identifier: Apache-2.0
//
// Task<T>: a lazy coroutine. It starts when it is awaited, and is awaited once.
//
//   Task<absl::StatusOr<int>> Answer() { co_return 42; }
//
//   Task<absl::Status> Ask() {
//     int answer = co_await Try(Answer());                  // or leave with its error
//     absl::StatusOr<int> again = co_await Answer();        // or look at it
//     co_return answer == *again ? absl::OkStatus() : absl::InternalError("it changed its mind");
//   }
//
// Result: any type, `void` included. Functions that can fail return `absl::Status` or `absl::StatusOr<T>`.
// Lifetime: awaiting starts the coroutine at once, by symmetric transfer, before anything else that is ready, and
//   destroys it before the result is returned. One that is dropped unawaited is destroyed unrun, with a warning.
//   Parameters are copied or moved into the frame; references and lambda captures must outlive the await. Calling a
//   coroutine lambda copies its parameters, not its captures: name the lambda before you await its result.
// Exceptions: one that escapes becomes the task's failure (`kInternal`, with what it said) where T can carry one, and
//   ends the process where it cannot.
// GCC 12 destroys a temporary twice when it stands in the same expression as a `co_await` and is an aggregate or a
//   lambda with members that need a destructor: name it before you await it. So it does with what is awaited on one
//   side of `condition ? co_await a : co_await b`: write an `if`.
// Threads: a task stays on the scheduler that started it.
#ifndef PROACTOR_TASK_H_
#define PROACTOR_TASK_H_

#include <coroutine>
#include <exception>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/result.h"

namespace proactor {

template <class T>
class Task;

namespace internal {

template <class T>
class Promise final : public PromiseBase, public ResultSlot<T> {
 public:
  static constexpr bool kCarriesStatus = CarriesStatus<T>;

  // The default argument is where the coroutine itself stands.
  explicit Promise(std::source_location where = std::source_location::current()) : PromiseBase(where) {}

  Task<T> get_return_object();

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> coroutine) const noexcept {
      // The usual end without a call: somebody waits, and gets a value.
      PromiseBase* parent = coroutine.promise().parent();
      if (parent == nullptr) return coroutine.promise().FinishTask();
      if (coroutine.promise().Failed()) [[unlikely]] {
        return coroutine.promise().Finish();
      }
      return parent->Transfer();
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept {
    static_assert(alignof(Promise) <= 2 * sizeof(void*), "The result of a Task must not be over-aligned");
#if defined(__cpp_exceptions)
    try {
      throw;
    } catch (const std::exception& exception) {
      SetFailure(EscapedException(*this, exception.what()));
    } catch (...) {
      SetFailure(EscapedException(*this, "an object that is not a std::exception"));
    }
#endif
  }

 private:
  bool Failed() const override {
    if constexpr (CarriesStatus<T>) {
      return !this->result.ok();
    } else {
      return false;
    }
  }
  void SetFailure(absl::Status failure) override {
    if constexpr (CarriesStatus<T>) {
      this->result = std::move(failure);
    } else {
      CheckFailed(std::string(failure.message()));
    }
  }
  absl::Status TakeFailure() override {
    if constexpr (CarriesStatus<T>) {
      return StatusOf(std::move(this->result));
    } else {
      return absl::OkStatus();
    }
  }
};

template <class T, bool kTry>
class TaskAwaiter;

}  // namespace internal

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::Promise<T>;
  using Result = T;

  Task(Task&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(promise_, other.promise_);
    return *this;
  }
  ~Task() {
    if (promise_ != nullptr) internal::DestroyUnawaited(*promise_);
  }

  // Gives the coroutine, not yet started, to whoever will run and destroy it.
  promise_type& Release() && {
    Check(promise_ != nullptr, "A Task was used twice: it is awaited or spawned once, and empty after a move.");
    return *std::exchange(promise_, nullptr);
  }

  template <bool kTry>
  internal::TaskAwaiter<T, kTry> MakeAwaiter(PromiseBase& parent, const Context& context) && {
    if (promise_ == nullptr) internal::AwaitedTwice(parent);
    return internal::TaskAwaiter<T, kTry>(std::move(*this).Release(), parent, context);
  }

 private:
  friend promise_type;
  explicit Task(promise_type& promise) : promise_(&promise) {}

  promise_type* promise_;
};

namespace internal {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(*this);
}

// Needs no destructor: a frame that still waits is destroyed by `DestroyFrames` only, which begins with the child.
template <class T, bool kTry>
class TaskAwaiter {
 public:
  TaskAwaiter(Promise<T>& task, PromiseBase& parent, const Context& context) : task_(task) {
    task.SetParent(parent, kTry);
    task.SetContext(context);
  }
  TaskAwaiter(const TaskAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }

  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    static_assert(!kTry || P::kCarriesStatus, "Try needs a coroutine that returns absl::Status or absl::StatusOr<T>");
    static_assert(!kTry || CarriesStatus<T>, "Try needs a Task<absl::Status> or a Task<absl::StatusOr<T>>");
    parent.promise().SetAwaiting(task_);
    return task_.Transfer();
  }

  auto await_resume() {
    task_.parent()->ClearAwaiting();
    Destroyer destroyer{task_};
    if constexpr (kTry) {
      return ValueOf(task_.Take());
    } else {
      return task_.Take();
    }
  }

 private:
  // Destroys the task's frames after its result has been moved into place.
  struct Destroyer {
    Promise<T>& task;
    ~Destroyer() { DestroyFrames(task); }
  };

  Promise<T>& task_;
};

}  // namespace internal

}  // namespace proactor

#endif  // PROACTOR_TASK_H_
