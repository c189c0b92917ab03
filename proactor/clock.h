// SPDX-License-Identifier: Apache-2.0
//
// Clock: the time that a scheduler's deadlines are on, and the time of day that belongs to it.
//
//   MonotonicTime deadline = context.loop->clock.Now() + absl::Seconds(5);
//
// Each proactor is one: the real ones read CLOCK_MONOTONIC and CLOCK_REALTIME, the simulated one keeps virtual time.
//
// Threads: any, for the real ones.
#ifndef PROACTOR_CLOCK_H_
#define PROACTOR_CLOCK_H_

#include "absl/time/time.h"
#include "proactor/monotonic_time.h"

namespace proactor {

class Clock {
 public:
  // A fresh reading.
  virtual MonotonicTime Now() const = 0;
  // Some milliseconds old, for a fraction of the cost.
  virtual MonotonicTime RoughlyNow() const { return Now(); }
  virtual absl::Time WallTime() const = 0;

 protected:
  ~Clock() = default;
};

}  // namespace proactor

#endif  // PROACTOR_CLOCK_H_
