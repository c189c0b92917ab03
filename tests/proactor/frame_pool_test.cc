// SPDX-License-Identifier: Apache-2.0
#include "proactor/frame_pool.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace proactor::internal {
namespace {

// Under AddressSanitizer every frame comes from the heap; the rest of each test holds there too.
#define EXPECT_IF_POOLED(condition) EXPECT_TRUE(!kFramesArePooled || (condition))

// --- The heap, with an account of the blocks of two sizes, which nobody but these tests asks for. ---

constexpr size_t kFrame = 37 * 64;
constexpr size_t kLargeFrame = kLargestPooledFrame + 1;
constexpr size_t kHead = 64;
constexpr uint64_t kTail = 0x0123456789abcdef;

std::atomic<int> frames_taken{0};     // From the heap, ever.
std::atomic<int> frames_returned{0};  // To the heap, ever.
std::atomic<int> mismatches{0};       // Blocks returned by another operator than they were taken by.
std::atomic<int> overruns{0};         // Blocks that were written to behind their end.

bool Counts(size_t size) { return size == kFrame || size == kLargeFrame; }

struct BlockHead {
  size_t size;
  bool aligned;
};

void* TakeBlock(size_t size, bool aligned) {
  if (size > SIZE_MAX / 2) std::abort();
  void* block = std::aligned_alloc(kHead, (kHead + size + sizeof(kTail) + kHead - 1) / kHead * kHead);
  if (block == nullptr) std::abort();
  new (block) BlockHead{size, aligned};
  std::memcpy(static_cast<char*>(block) + kHead + size, &kTail, sizeof(kTail));
  if (Counts(size)) ++frames_taken;
  return static_cast<char*>(block) + kHead;
}

void ReturnBlock(void* pointer, bool aligned) {
  if (pointer == nullptr) return;
  void* block = static_cast<char*>(pointer) - kHead;
  const BlockHead head = *static_cast<BlockHead*>(block);
  if (Counts(head.size)) ++frames_returned;
  if (head.aligned != aligned) ++mismatches;
  if (std::memcmp(static_cast<char*>(pointer) + head.size, &kTail, sizeof(kTail)) != 0) ++overruns;
  std::free(block);
}

int FramesOnTheHeap() { return frames_taken - frames_returned; }

// A thread has an empty pool at first, whatever the tests before this one did.
template <class Function>
void OnAFreshThread(Function function) {
  std::thread(function).join();
}

}  // namespace
}  // namespace proactor::internal

void* operator new(size_t size) { return proactor::internal::TakeBlock(size, false); }
void* operator new(size_t size, std::align_val_t) { return proactor::internal::TakeBlock(size, true); }
void operator delete(void* block) noexcept { proactor::internal::ReturnBlock(block, false); }
void operator delete(void* block, size_t) noexcept { proactor::internal::ReturnBlock(block, false); }
void operator delete(void* block, std::align_val_t) noexcept { proactor::internal::ReturnBlock(block, true); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { proactor::internal::ReturnBlock(block, true); }

namespace proactor::internal {
namespace {

// Checks, after each test, that everything went back the way it came.
class FramePoolTest : public ::testing::Test {
 protected:
  ~FramePoolTest() override {
    EXPECT_EQ(FramesOnTheHeap(), before_) << "Frames were leaked.";
    EXPECT_EQ(overruns, overruns_before_) << "Frames are larger than the blocks they are in.";
    EXPECT_EQ(mismatches, mismatches_before_) << "Frames were returned by another operator than they were taken by.";
  }

 private:
  const int before_ = FramesOnTheHeap();
  const int mismatches_before_ = mismatches;
  const int overruns_before_ = overruns;
};

TEST_F(FramePoolTest, ReusesAFreedFrame) {
  OnAFreshThread([] {
    const int taken_before = frames_taken;
    void* first = AllocateFrame(kFrame);
    FreeFrame(first, kFrame);
    void* second = AllocateFrame(kFrame);
    EXPECT_IF_POOLED(second == first);
    EXPECT_IF_POOLED(frames_taken == taken_before + 1);
    FreeFrame(second, kFrame);
  });
}

TEST_F(FramePoolTest, SizesOfOneStepShareFrames) {
  OnAFreshThread([] {
    void* first = AllocateFrame(kFrame - 63);
    FreeFrame(first, kFrame - 63);
    void* second = AllocateFrame(kFrame);
    EXPECT_IF_POOLED(second == first);
    std::memset(second, 1, kFrame);
    FreeFrame(second, kFrame);
  });
}

TEST_F(FramePoolTest, AFrameIsNotReusedForALargerOne) {
  OnAFreshThread([] {
    void* small = AllocateFrame(kFrame);
    FreeFrame(small, kFrame);
    void* large = AllocateFrame(kFrame + 1);
    EXPECT_IF_POOLED(large != small);
    FreeFrame(large, kFrame + 1);
  });
}

TEST_F(FramePoolTest, ASteadyStateDoesNotReachTheHeap) {
  OnAFreshThread([] {
    std::vector<void*> frames(20);
    int taken_when_warm = 0;
    for (int round = 0; round < 100; ++round) {
      for (void*& frame : frames) frame = AllocateFrame(kFrame);
      for (void* frame : frames) FreeFrame(frame, kFrame);
      if (round == 0) taken_when_warm = frames_taken;
    }
    EXPECT_IF_POOLED(frames_taken == taken_when_warm);
  });
}

TEST_F(FramePoolTest, KeepsNoMoreThanItsBound) {
  OnAFreshThread([] {
    const int heap_before = FramesOnTheHeap();
    constexpr int kMost = kFramePoolBytes / kFrame;
    std::vector<void*> frames(3 * kMost);
    for (void*& frame : frames) frame = AllocateFrame(kFrame);
    EXPECT_EQ(FramesOnTheHeap() - heap_before, 3 * kMost);
    for (void* frame : frames) FreeFrame(frame, kFrame);
    EXPECT_EQ(FramesOnTheHeap() - heap_before, kFramesArePooled ? kMost : 0);
    // What is taken out makes room again.
    FreeFrame(AllocateFrame(kFrame), kFrame);
    EXPECT_EQ(FramesOnTheHeap() - heap_before, kFramesArePooled ? kMost : 0);
  });
}

TEST_F(FramePoolTest, TheBoundIsForAllSizesTogether) {
  OnAFreshThread([] {
    const int heap_before = FramesOnTheHeap();
    std::vector<void*> others(kFramePoolBytes / 64);
    for (void*& frame : others) frame = AllocateFrame(64);
    for (void* frame : others) FreeFrame(frame, 64);
    FreeFrame(AllocateFrame(kFrame), kFrame);
    EXPECT_EQ(FramesOnTheHeap(), heap_before);
  });
}

TEST_F(FramePoolTest, LargeFramesGoBackToTheHeap) {
  OnAFreshThread([] {
    const int heap_before = FramesOnTheHeap();
    void* frame = AllocateFrame(kLargeFrame);
    EXPECT_EQ(FramesOnTheHeap(), heap_before + 1);
    std::memset(frame, 1, kLargeFrame);
    FreeFrame(frame, kLargeFrame);
    EXPECT_EQ(FramesOnTheHeap(), heap_before);
  });
}

TEST_F(FramePoolTest, FramesBeginWithACacheLine) {
  OnAFreshThread([] {
    for (size_t size : {size_t{1}, size_t{64}, size_t{65}, kFrame, kLargestPooledFrame, kLargeFrame}) {
      for (int round = 0; round < 2; ++round) {
        void* frame = AllocateFrame(size);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(frame) % 64, 0u) << size;
        FreeFrame(frame, size);
      }
    }
  });
}

TEST_F(FramePoolTest, AFrameFreedOnAnotherThreadJoinsThatThreadsPool) {
  void* frame = nullptr;
  OnAFreshThread([&] { frame = AllocateFrame(kFrame); });
  std::memset(frame, 1, kFrame);
  OnAFreshThread([&] {
    FreeFrame(frame, kFrame);
    void* again = AllocateFrame(kFrame);
    EXPECT_IF_POOLED(again == frame);
    FreeFrame(again, kFrame);
  });
}

TEST_F(FramePoolTest, AThreadThatEndsGivesItsFramesBack) {
  const int heap_before = FramesOnTheHeap();
  OnAFreshThread([] {
    std::vector<void*> frames(100);
    for (void*& frame : frames) frame = AllocateFrame(kFrame);
    for (void* frame : frames) FreeFrame(frame, kFrame);
  });
  EXPECT_EQ(FramesOnTheHeap(), heap_before);
}

// Frees what it holds when its thread ends.
struct LateOwner {
  ~LateOwner() {
    for (void* frame : frames) FreeFrame(frame, kFrame);
    // A destructor may also start a coroutine and end it.
    if (!frames.empty()) FreeFrame(AllocateFrame(kFrame), kFrame);
  }
  std::vector<void*> frames;
};
thread_local LateOwner early_born;
thread_local LateOwner late_born;

TEST_F(FramePoolTest, FramesMayBeFreedWhileTheirThreadEnds) {
  const int heap_before = FramesOnTheHeap();
  OnAFreshThread([] {
    // Destroyed in the opposite order: one before what empties the pool, one after it.
    early_born.frames.push_back(AllocateFrame(kFrame));
    FreeFrame(AllocateFrame(kFrame), kFrame);
    late_born.frames.push_back(AllocateFrame(kFrame));
  });
  EXPECT_EQ(FramesOnTheHeap(), heap_before);
}

TEST_F(FramePoolTest, FramesInUseDoNotOverlap) {
  OnAFreshThread([] {
    std::mt19937 random(1);
    struct Frame {
      unsigned char* bytes;
      size_t size;
      unsigned char mark;
    };
    std::vector<Frame> frames;
    int spoilt = 0;
    for (int step = 0; step < 20'000; ++step) {
      if (frames.size() < 200 && random() % 2 == 0) {
        size_t size = 1 + random() % (kLargeFrame + 200);
        Frame frame = {static_cast<unsigned char*>(AllocateFrame(size)), size, static_cast<unsigned char>(step)};
        // Its ends are enough to see an overlap, because every frame has some.
        frame.bytes[0] = frame.bytes[size - 1] = frame.mark;
        frames.push_back(frame);
      } else if (!frames.empty()) {
        std::swap(frames[random() % frames.size()], frames.back());
        Frame frame = frames.back();
        frames.pop_back();
        if (frame.bytes[0] != frame.mark || frame.bytes[frame.size - 1] != frame.mark) ++spoilt;
        FreeFrame(frame.bytes, frame.size);
      }
    }
    for (const Frame& frame : frames) FreeFrame(frame.bytes, frame.size);
    EXPECT_EQ(spoilt, 0);
  });
}

}  // namespace
}  // namespace proactor::internal
