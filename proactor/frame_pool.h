// SPDX-License-Identifier: Apache-2.0
//
// Memory for coroutine frames and task records: a bounded pool per thread, so that starting a coroutine in steady state
// does not reach the heap.
//
//   void* frame = AllocateFrame(480);
//   FreeFrame(frame, 480);
//
// Sizes are rounded up to cache lines, 64 bytes, and frames are aligned to them. Each thread keeps up to
// `kFramePoolBytes` of freed frames, those of some ten thousand small tasks, and gives the rest, and all above
// `kLargestPooledFrame`, to the heap. A frame may be freed on any thread: it joins the pool of the thread that frees
// it. Under AddressSanitizer every frame comes from the heap, so that a use after its end is seen.
#ifndef PROACTOR_FRAME_POOL_H_
#define PROACTOR_FRAME_POOL_H_

#include <cstddef>

namespace proactor::internal {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kFramesArePooled = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kFramesArePooled = false;
#else
inline constexpr bool kFramesArePooled = true;
#endif
#else
inline constexpr bool kFramesArePooled = true;
#endif

inline constexpr size_t kLargestPooledFrame = 4096;
inline constexpr size_t kFramePoolBytes = size_t{4} << 20;

void* AllocateFrame(size_t size);
void FreeFrame(void* frame, size_t size) noexcept;

}  // namespace proactor::internal

#endif  // PROACTOR_FRAME_POOL_H_
