// SPDX-License-Identifier: Apache-2.0
//
// HeldBuffers: who may hold a buffer of a pool while it waits, instead of letting the kernel take one when something
// has come: a few busy streams (operation/receive.h). Each has a place for as long as it is one of them.
//
//   int place = held.Begin(waiter, size, turn);      // -1: there are as many as may be
//   held.Ask(place, turn);                           // each time that it waits
//   bool at_once = held.Answer(place, turn);
//   held.End(place);
//   if (BufferWaiter* idle = held.Idle(turn)) idle->GiveUp();
//
// Threads: the scheduler's.
#ifndef PROACTOR_HELD_BUFFERS_H_
#define PROACTOR_HELD_BUFFERS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace proactor::internal {

class BufferWaiter;

class HeldBuffers {
 public:
  static constexpr int kMost = 64;
  static constexpr uint32_t kLong = 64;  // Turns of the loop.

  // Of so many bytes together at most.
  explicit HeldBuffers(size_t most_bytes) : free_bytes_(most_bytes) {}

  int Begin(BufferWaiter& waiter, size_t size, uint32_t turn) {
    if (free_ == 0 || size > free_bytes_) return -1;
    int place = std::countr_zero(free_);
    free_ &= free_ - 1;
    free_bytes_ -= size;
    At(place) = {.waiter = &waiter, .size = size, .asked = turn};
    return place;
  }

  void End(int place) {
    free_ |= uint64_t{1} << place;
    free_bytes_ += At(place).size;
    At(place).waiter = nullptr;
  }

  void Ask(int place, uint32_t turn) { At(place).asked = turn; }
  // Whether the result came in the turn that asked for it: it is looked at in the next one. A loop that has nothing
  // else to do sleeps in that turn, and then all results do.
  bool Answer(int place, uint32_t turn) { return turn - At(place).asked <= 1; }

  // Who has asked for nothing, or waited, for longest, if that is long: it is not busy. Null if they all are.
  BufferWaiter* Idle(uint32_t turn) {
    Place* idle = nullptr;
    uint32_t longest = kLong;
    for (Place& place : places_) {
      if (place.waiter == nullptr || turn - place.asked <= longest) continue;
      idle = &place;
      longest = turn - place.asked;
    }
    if (idle == nullptr) return nullptr;
    idle->asked = turn;  // Not again at once.
    return idle->waiter;
  }

 private:
  struct Place {
    BufferWaiter* waiter = nullptr;  // Null where there is none.
    size_t size = 0;
    uint32_t asked = 0;
  };

  Place& At(int place) { return places_[static_cast<size_t>(place)]; }

  uint64_t free_ = ~uint64_t{0};  // A bit for each place.
  size_t free_bytes_;
  std::array<Place, kMost> places_;
};
static_assert(HeldBuffers::kMost == 64, "a bit for each");

}  // namespace proactor::internal

#endif  // PROACTOR_HELD_BUFFERS_H_
