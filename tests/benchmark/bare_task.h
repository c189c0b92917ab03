// SPDX-License-Identifier: Apache-2.0

// The least coroutine that can be awaited: lazy, with symmetric transfer both ways, its frame from the library's pool.
// No context, no cancellation, no errors, no names: what a coroutine costs before anybody can rely on it.
//
//   BareTask Child(int number) { co_return number; }
//   int number = co_await Child(7);   // in another BareTask; RunBare for the outermost
#ifndef PROACTOR_TESTS_BENCHMARK_BARE_TASK_H_
#define PROACTOR_TESTS_BENCHMARK_BARE_TASK_H_

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "proactor/frame_pool.h"

namespace proactor::benchmark {

class BareTask {
 public:
  struct promise_type {
    std::coroutine_handle<> parent = std::noop_coroutine();
    int value = 0;

    static void* operator new(size_t size) { return internal::AllocateFrame(size); }
    static void operator delete(void* frame, size_t size) noexcept { internal::FreeFrame(frame, size); }

    BareTask get_return_object() { return BareTask(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct FinalAwaiter {
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> coroutine) const noexcept {
        return coroutine.promise().parent;
      }
      void await_resume() const noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
    void return_value(int result) { value = result; }
    void unhandled_exception() { std::abort(); }
  };

  explicit BareTask(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  BareTask(BareTask&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  ~BareTask() {
    if (coroutine_) coroutine_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    coroutine_.promise().parent = parent;
    return coroutine_;
  }
  int await_resume() const { return coroutine_.promise().value; }

  std::coroutine_handle<promise_type> coroutine() const { return coroutine_; }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

// Runs one that waits for nothing but others of its kind.
inline int RunBare(BareTask task) {
  task.coroutine().resume();
  return task.coroutine().promise().value;
}

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_BARE_TASK_H_
