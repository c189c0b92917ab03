// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fiber.h"

#include <cstdint>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PROACTOR_FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define PROACTOR_FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define PROACTOR_FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define PROACTOR_FIBER_TSAN 1
#endif

#if defined(PROACTOR_FIBER_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(PROACTOR_FIBER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace proactor {

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(new char[kStackBytes]) {
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_.get();
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  // makecontext(3) passes ints.
  uint64_t self = reinterpret_cast<uintptr_t>(this);
  makecontext(&inside_, reinterpret_cast<void (*)()>(&Fiber::Main), 2, static_cast<unsigned>(self >> 32),
              static_cast<unsigned>(self));
#if defined(PROACTOR_FIBER_TSAN)
  inside_thread_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(PROACTOR_FIBER_TSAN)
  __tsan_destroy_fiber(inside_thread_);
#endif
}

void Fiber::Main(unsigned high, unsigned low) {
  auto* self = reinterpret_cast<Fiber*>(uintptr_t{high} << 32 | low);
  self->Arrive(/*in_fiber=*/true);
  self->body_();
  self->done_ = true;
  self->Switch(/*into_fiber=*/false);
}

void Fiber::Enter() {
  Switch(/*into_fiber=*/true);
  Arrive(/*in_fiber=*/false);
}

void Fiber::Leave() {
  Switch(/*into_fiber=*/false);
  Arrive(/*in_fiber=*/true);
}

void Fiber::Switch(bool into_fiber) {
#if defined(PROACTOR_FIBER_ASAN)
  if (into_fiber) {
    __sanitizer_start_switch_fiber(&outside_fake_stack_, stack_.get(), kStackBytes);
  } else {
    // Null when the fiber is left for the last time, so that its variables' memory is given back.
    __sanitizer_start_switch_fiber(done_ ? nullptr : &inside_fake_stack_, outside_stack_, outside_stack_bytes_);
  }
#endif
#if defined(PROACTOR_FIBER_TSAN)
  if (into_fiber) outside_thread_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(into_fiber ? inside_thread_ : outside_thread_, 0);
#endif
  swapcontext(into_fiber ? &outside_ : &inside_, into_fiber ? &inside_ : &outside_);
}

void Fiber::Arrive([[maybe_unused]] bool in_fiber) {
#if defined(PROACTOR_FIBER_ASAN)
  if (in_fiber) {
    __sanitizer_finish_switch_fiber(inside_fake_stack_, &outside_stack_, &outside_stack_bytes_);
  } else {
    __sanitizer_finish_switch_fiber(outside_fake_stack_, nullptr, nullptr);
  }
#endif
}

}  // namespace proactor
