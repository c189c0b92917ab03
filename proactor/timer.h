// SPDX-License-Identifier: Apache-2.0
//
// Timers in user space: a hierarchical wheel with exact deadlines.
//
//   struct Alarm final : Timer { void Fire() override { ... } };
//   wheel.Start(alarm, proactor.Now() + absl::Seconds(5));
//   wheel.Advance(proactor.Now());   // fires what is due, never early
//   wheel.Start(alarm, proactor.Now() + absl::Seconds(5));   // moves it: to a later time, with one store
//   wheel.StartAfter(alarm, absl::Seconds(5));               // the same, counted from the next `Advance`
//   alarm.Stop();
//
// Starting and stopping are O(1) and allocate nothing: a timer is linked into one of 11 levels of 64 slots. Its level
// is that of the highest group of six bits in which its deadline differs from the wheel's time, so that a slot of level
// 0 is one nanosecond, and a timer is moved at most once per level before it fires. One that is given a later deadline
// stays in its slot until that comes due, or is the first with a timer in it, and only then finds a new one: putting
// off a timeout with every message costs a store. No kernel timer is involved: the scheduler passes `NextDeadline` to
// the one wait of each turn.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_TIMER_H_
#define PROACTOR_TIMER_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"
#include "proactor/intrusive_list.h"
#include "proactor/monotonic_time.h"

namespace proactor {

// Something that happens at a time. Stops itself when destroyed.
class Timer : private ListNode<Timer> {
 public:
  // Called by `TimerWheel::Advance` at or after the deadline, with the timer already stopped: it may be started again,
  // or destroyed. Must not resume a coroutine, only push it to the ready queue.
  virtual void Fire() = 0;

  void Stop();
  bool active() const { return linked(); }
  // Of an active timer; `now` is for one that begins with the next `Advance`.
  MonotonicTime deadline(MonotonicTime now) const {
    if (begun()) return deadline_;
    int64_t sum;
    return __builtin_add_overflow(now.nanoseconds, duration(), &sum) ? MonotonicTime::Infinite() : MonotonicTime{sum};
  }

 protected:
  Timer() = default;
  ~Timer() { Stop(); }

 private:
  friend class TimerWheel;
  template <class, class>
  friend class IntrusiveList;

  bool begun() const { return deadline_.nanoseconds >= 0; }
  int64_t duration() const { return ~deadline_.nanoseconds; }

  class TimerWheel* wheel_ = nullptr;
  MonotonicTime deadline_;  // Or the complement of a duration, which is negative, as no deadline here is.
};

class TimerWheel {
 public:
  explicit TimerWheel(MonotonicTime now) : now_(now) {}

  // Starts `timer`, or moves it if it is active. A deadline that has passed fires at the next `Advance`. Among equal
  // deadlines, one that was moved to a later time has no place that it can rely on.
  void Start(Timer& timer, MonotonicTime deadline);

  // The same with a duration that begins at the next `Advance`. One reading of the clock is then enough for all that a
  // turn of the loop starts, and one that is stopped before needs none.
  void StartAfter(Timer& timer, absl::Duration duration);

  // Fires every timer whose deadline is not after `now`, in the order of their deadlines; those with the same one, and
  // those whose deadline had passed when they were started, in the order of starting. Timers started by a `Fire` run in
  // a later call. Yields how many fired.
  int Advance(MonotonicTime now);

  // When to call `Advance` next: the earliest deadline, or, where finding that would take a walk through many timers,
  // an earlier moment at which the wheel turns. Infinite when there is no timer.
  MonotonicTime NextDeadline();

  bool empty() const { return count_ == 0; }
  int64_t size() const { return count_; }

 private:
  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;
  static constexpr int kLevels = (64 + kBits - 1) / kBits;
  // How many timers `NextDeadline` looks at before it settles for the beginning of the slot it is in.
  static constexpr int kLookAt = 16;

  using Slot = IntrusiveList<Timer>;
  friend class Timer;

  // The earliest slot with a timer in it, if any.
  struct Position {
    int level;
    int slot;
    MonotonicTime begin;
  };
  bool FindFirst(Position& position);
  void Place(Timer& timer);
  // Of the timers in a slot, those with a later deadline than fits into it have been moved since.
  static bool Holds(const Position& position, const Timer& timer) {
    return (Digits(timer.deadline_) - Digits(position.begin)) >> (position.level * kBits) == 0;
  }

  // Non-negative, so that the digits of a time are those of an unsigned number.
  static uint64_t Digits(MonotonicTime time) { return static_cast<uint64_t>(time.nanoseconds); }

  MonotonicTime now_;
  int64_t count_ = 0;
  Slot beginning_;  // With a duration.
  Slot due_;
  // A bit is set when its slot may hold a timer; stopping a timer leaves it set, finding an empty slot clears it.
  std::array<uint64_t, kLevels> occupied_ = {};
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
};

inline void Timer::Stop() {
  if (!linked()) return;
  Unlink();
  --wheel_->count_;
}

}  // namespace proactor

#endif  // PROACTOR_TIMER_H_
