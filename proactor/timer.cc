// SPDX-License-Identifier: Apache-2.0
#include "proactor/timer.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace proactor {

void TimerWheel::Start(Timer& timer, MonotonicTime deadline) {
  // It is in a slot, which comes due before the new deadline does. (One that is due is in a list without a time.)
  bool can_stay = timer.active() && timer.wheel_ == this && timer.deadline_ > now_ && deadline >= timer.deadline_;
  if (can_stay) {
    timer.deadline_ = deadline;
    return;
  }
  timer.Stop();
  timer.wheel_ = this;
  timer.deadline_ = std::max(deadline, MonotonicTime{0});
  ++count_;
  Place(timer);
}

void TimerWheel::StartAfter(Timer& timer, absl::Duration duration) {
  timer.Stop();
  timer.wheel_ = this;
  timer.deadline_ = {~std::max<int64_t>((MonotonicTime{0} + duration).nanoseconds, 0)};
  ++count_;
  beginning_.PushBack(timer);
}

void TimerWheel::Place(Timer& timer) {
  if (timer.deadline_ <= now_) {
    due_.PushBack(timer);
    return;
  }
  uint64_t deadline = Digits(timer.deadline_);
  int level = (63 - std::countl_zero(deadline ^ Digits(now_))) / kBits;
  int slot = static_cast<int>((deadline >> (level * kBits)) % kSlots);
  occupied_[level] |= uint64_t{1} << slot;
  slots_[level][slot].PushBack(timer);
}

// The lowest occupied level holds the earliest slot: timers of a level agree with `now_` in every higher digit, so they
// come before those that differ from it in one.
bool TimerWheel::FindFirst(Position& position) {
  for (int level = 0; level < kLevels; ++level) {
    while (occupied_[level] != 0) {
      int slot = std::countr_zero(occupied_[level]);
      if (slots_[level][slot].empty()) {
        occupied_[level] &= occupied_[level] - 1;
        continue;
      }
      int shift = level * kBits;
      uint64_t above = shift + kBits >= 64 ? 0 : Digits(now_) >> (shift + kBits) << (shift + kBits);
      position = {level, slot, {static_cast<int64_t>(above | static_cast<uint64_t>(slot) << shift)}};
      return true;
    }
  }
  return false;
}

int TimerWheel::Advance(MonotonicTime now) {
  if (count_ == 0) {
    // Skipping ahead keeps later timers in low levels.
    now_ = std::max(now_, now);
    return 0;
  }
  while (Timer* timer = beginning_.PopFront()) {
    timer->deadline_ = timer->deadline(now);
    Place(*timer);
  }
  Position position;
  while (FindFirst(position) && position.begin <= now) {
    now_ = position.begin;
    Slot slot;
    slot.Take(slots_[position.level][position.slot]);
    occupied_[position.level] &= ~(uint64_t{1} << position.slot);
    while (Timer* timer = slot.PopFront()) Place(*timer);
  }
  now_ = std::max(now_, now);

  // A separate list, so that a timer that starts itself again at once does not keep the loop going.
  Slot firing;
  firing.Take(due_);
  int fired = 0;
  while (Timer* timer = firing.PopFront()) {
    --count_;
    ++fired;
    timer->Fire();
  }
  return fired;
}

// A slot whose timers have all been moved says nothing about the next deadline, so they find their places now. That is
// no more work than when the slot comes due, and spares the scheduler a turn.
MonotonicTime TimerWheel::NextDeadline() {
  if (count_ == 0) return MonotonicTime::Infinite();
  if (!due_.empty() || !beginning_.empty()) return MonotonicTime::Past();
  int looked_at = 0;
  for (Position position; FindFirst(position);) {
    const Slot& slot = slots_[position.level][position.slot];
    MonotonicTime earliest = MonotonicTime::Infinite();
    for (Timer* timer = slot.front(); timer != nullptr;) {
      if (++looked_at > kLookAt) return position.begin;
      Timer& current = *std::exchange(timer, slot.Next(*timer));
      if (Holds(position, current)) {
        earliest = std::min(earliest, current.deadline_);
      } else {
        current.Unlink();
        Place(current);
      }
    }
    if (!slot.empty()) return earliest;
  }
  return MonotonicTime::Infinite();
}

}  // namespace proactor
