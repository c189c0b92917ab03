// SPDX-License-Identifier: Apache-2.0
//
// Chance: what a seed decides in a race.
//
//   Chance chance(seed, 6);
//   co_await Sleep(chance.Moment());   // One of six: so few that they often meet.
#ifndef PROACTOR_TESTS_STRESS_CHANCE_H_
#define PROACTOR_TESTS_STRESS_CHANCE_H_

#include <cstddef>
#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace proactor {

class Chance {
 public:
  Chance(uint64_t seed, int moments) : moments_(moments), random_(seed) {}

  int Below(int limit) { return static_cast<int>(random_() % static_cast<uint64_t>(limit)); }
  size_t UpTo(size_t limit) { return 1 + random_() % limit; }
  absl::Duration Moment() { return absl::Microseconds(Below(moments_)); }

 private:
  const int moments_;
  std::mt19937_64 random_;
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_STRESS_CHANCE_H_
