// SPDX-License-Identifier: Apache-2.0
#include "proactor/frame_pool.h"

#include <new>

namespace proactor::internal {
namespace {

// A cache line, and frames begin with one: their head and what every coroutine knows of itself fill just that.
constexpr size_t kStep = 64;

void* TakeFromHeap(size_t size) { return ::operator new(size, std::align_val_t(kStep)); }
void ReturnToHeap(void* frame) { ::operator delete(frame, std::align_val_t(kStep)); }

constexpr size_t kClasses = kLargestPooledFrame / kStep + 1;

struct FreedFrame {
  FreedFrame* next;
};

// Without a destructor of its own, so that frames freed late in a thread's exit still find it.
struct Pool {
  FreedFrame* freed[kClasses] = {};
  size_t bytes = 0;
  bool used = false;
  bool closed = false;
};
thread_local constinit Pool pool;

// Empties the pool when its thread ends; frames freed after that go to the heap.
struct PoolCloser {
  bool armed = false;
  ~PoolCloser() {
    pool.closed = true;
    for (FreedFrame*& first : pool.freed) {
      while (first != nullptr) {
        FreedFrame* frame = first;
        first = frame->next;
        ReturnToHeap(frame);
      }
    }
  }
};
thread_local PoolCloser pool_closer;

// Out of the way of the code that runs always.
[[gnu::noinline, gnu::cold]] void ArmPoolCloser() {
  pool_closer.armed = true;  // Touching it is what registers its destructor.
}

constexpr size_t ClassOf(size_t size) { return (size + kStep - 1) / kStep; }

}  // namespace

void* AllocateFrame(size_t size) {
  size_t index = ClassOf(size);
  if (!kFramesArePooled || index >= kClasses) return TakeFromHeap(size);
  FreedFrame* frame = pool.freed[index];
  if (frame == nullptr) return TakeFromHeap(index * kStep);
  pool.freed[index] = frame->next;
  pool.bytes -= index * kStep;
  return frame;
}

void FreeFrame(void* frame, size_t size) noexcept {
  size_t index = ClassOf(size);
  if (!kFramesArePooled || index >= kClasses || pool.closed || pool.bytes + index * kStep > kFramePoolBytes) {
    ReturnToHeap(frame);
    return;
  }
  if (!pool.used) [[unlikely]] {
    pool.used = true;
    ArmPoolCloser();
  }
  pool.bytes += index * kStep;
  FreedFrame* freed = static_cast<FreedFrame*>(frame);
  freed->next = pool.freed[index];
  pool.freed[index] = freed;
}

}  // namespace proactor::internal
