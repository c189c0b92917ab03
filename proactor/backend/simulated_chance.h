// SPDX-License-Identifier: Apache-2.0
//
// SimulatedChance: everything that a simulation leaves to chance, from one seed.
//
//   SimulatedChance chance(7);
//   if (chance.OneIn(16)) return -EINTR;
//   size_t moved = chance.Part(size);
//
// The same seed gives the same answers on every machine and with every standard library, which is why nothing of
// <random> is used: the results of its distributions differ between libraries.
//
// Threads: one at a time.
#ifndef PROACTOR_BACKEND_SIMULATED_CHANCE_H_
#define PROACTOR_BACKEND_SIMULATED_CHANCE_H_

#include <cstddef>
#include <cstdint>

namespace proactor {

class SimulatedChance {
 public:
  // Without `short_transfers`, every part is the whole.
  explicit SimulatedChance(uint64_t seed, bool short_transfers = true)
      : state_(seed), short_transfers_(short_transfers) {}

  // One of 0 ... n - 1; n > 0. The small preference for some numbers when n is not a power of two does not matter here.
  uint64_t Below(uint64_t n) { return Next() % n; }

  bool OneIn(uint64_t n) { return Below(n) == 0; }

  // How much of a transfer of `size` bytes takes place: all of it, one byte, or something between. 0 only for 0.
  size_t Part(size_t size) {
    if (!short_transfers_ || size <= 1) return size;
    switch (Below(8)) {
      case 0:
        return 1;
      case 1:
      case 2:
      case 3:
        return 1 + Below(size);
      default:
        return size;
    }
  }

 private:
  // SplitMix64 (Steele, Lea, Flood 2014): neighbouring seeds give unrelated sequences.
  uint64_t Next() {
    uint64_t bits = state_ += 0x9e3779b97f4a7c15;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    return bits ^ bits >> 31;
  }

  uint64_t state_;
  bool short_transfers_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_CHANCE_H_
