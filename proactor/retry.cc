// SPDX-License-Identifier: Apache-2.0
#include "proactor/retry.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace proactor {
namespace {

// From 0 to 1. The loop's chance is the same in each run of a program, and in a simulation the seed's; the time makes
// it different for each process, and is simulated there too.
double Chance(Loop& loop) {
  uint64_t bits = static_cast<uint64_t>(loop.clock.Now().nanoseconds) ^ uint64_t{loop.NextChance()} << 32;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;  // SplitMix64
  bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
  return static_cast<double>((bits ^ bits >> 31) >> 11) * 0x1p-53;
}

}  // namespace

bool MayPass(const absl::Status& failure) { return absl::IsUnavailable(failure) || absl::IsDeadlineExceeded(failure); }

namespace internal {

absl::Duration DelayAfter(int attempt, const RetryOptions& options, Loop& loop) {
  absl::Duration delay = std::min(options.first_delay, options.max_delay);
  // Not as many steps as attempts, of which there may be any number: until it changes no more.
  for (int i = 1; i < attempt; ++i) {
    absl::Duration before = std::exchange(delay, std::min(delay * options.factor, options.max_delay));
    if (delay == before) break;
  }
  return options.jitter > 0 ? delay * (1 - std::min(options.jitter, 1.0) * Chance(loop)) : delay;
}

}  // namespace internal
}  // namespace proactor
