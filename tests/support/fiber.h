// SPDX-License-Identifier: Apache-2.0
//
// Fiber: a function on a stack of its own, which the thread that made it enters and leaves at will.
//
//   Fiber fiber([&] { Step(); fiber.Leave(); Step(); });
//   fiber.Enter();   // runs the first step
//   fiber.Enter();   // runs the second, after which fiber.done()
//
// Made so that the sanitizers follow. A fiber that is destroyed before it is done leaves what is on its stack
// undestroyed.
//
// Threads: one.
#ifndef PROACTOR_TESTS_SUPPORT_FIBER_H_
#define PROACTOR_TESTS_SUPPORT_FIBER_H_

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace proactor {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;

  // Runs the fiber until it leaves or is done.
  void Enter();
  // On the fiber: goes back to where it was entered.
  void Leave();

  bool done() const { return done_; }

 private:
  static constexpr size_t kStackBytes = size_t{256} << 10;

  static void Main(unsigned high, unsigned low);
  void Switch(bool into_fiber);
  void Arrive(bool in_fiber);

  std::function<void()> body_;
  std::unique_ptr<char[]> stack_;
  ucontext_t inside_;
  ucontext_t outside_;
  bool done_ = false;

  // Under AddressSanitizer: where the variables of each side went, and which stack the fiber is entered from.
  void* inside_fake_stack_ = nullptr;
  void* outside_fake_stack_ = nullptr;
  const void* outside_stack_ = nullptr;
  size_t outside_stack_bytes_ = 0;
  // Under ThreadSanitizer: its idea of each side.
  void* inside_thread_ = nullptr;
  void* outside_thread_ = nullptr;
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_FIBER_H_
