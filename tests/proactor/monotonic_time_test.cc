// SPDX-License-Identifier: Apache-2.0
#include "proactor/monotonic_time.h"

#include <cstdint>
#include <limits>
#include <ostream>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace proactor {

void PrintTo(const MonotonicTime& time, std::ostream* out) { *out << time.nanoseconds << " ns"; }

namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

constexpr MonotonicTime At(int64_t nanoseconds) { return {nanoseconds}; }

TEST(MonotonicTimeTest, ComparesByTime) {
  EXPECT_LT(At(1), At(2));
  EXPECT_EQ(At(2), At(2));
  EXPECT_LT(MonotonicTime::Past(), At(kLeast + 1));
  EXPECT_GT(MonotonicTime::Infinite(), At(kMost - 1));
}

TEST(MonotonicTimeTest, AddsNanosecondsExactly) {
  EXPECT_EQ(At(5) + absl::Nanoseconds(7), At(12));
  EXPECT_EQ(At(5) + absl::Nanoseconds(-7), At(-2));
  EXPECT_EQ(At(5) + absl::ZeroDuration(), At(5));
  EXPECT_EQ(At(0) + absl::Hours(24), At(86'400'000'000'000));
}

TEST(MonotonicTimeTest, RoundsFractionsOfANanosecondUp) {
  EXPECT_EQ(At(5) + absl::Nanoseconds(1) / 4, At(6)) << "A timer would be early.";
  EXPECT_EQ(At(5) + absl::Nanoseconds(5) / 4, At(7));
  EXPECT_EQ(At(5) + absl::Nanoseconds(3) / 4, At(6));
  EXPECT_EQ(At(5) + absl::Seconds(1) / 3, At(5 + 333'333'334));
}

TEST(MonotonicTimeTest, RoundsNegativeFractionsUpToo) {
  EXPECT_EQ(At(5) + absl::Nanoseconds(-1) / 4, At(5));
  EXPECT_EQ(At(5) + absl::Nanoseconds(-5) / 4, At(4));
}

TEST(MonotonicTimeTest, SumsSaturate) {
  EXPECT_EQ(At(5) + absl::InfiniteDuration(), MonotonicTime::Infinite());
  EXPECT_EQ(At(0) + absl::InfiniteDuration(), MonotonicTime::Infinite());
  EXPECT_EQ(At(5) + absl::Hours(24 * 366) * 1000, MonotonicTime::Infinite());
  EXPECT_EQ(At(kMost - 3) + absl::Nanoseconds(4), MonotonicTime::Infinite());
  EXPECT_EQ(At(kMost - 3) + absl::Nanoseconds(2), At(kMost - 1));
  EXPECT_EQ(MonotonicTime::Infinite() + absl::Nanoseconds(1) / 4, MonotonicTime::Infinite());
  EXPECT_EQ(At(-5) + -absl::InfiniteDuration(), MonotonicTime::Past());
  EXPECT_EQ(At(kLeast + 3) + absl::Nanoseconds(-4), MonotonicTime::Past());
}

TEST(MonotonicTimeTest, DifferencesAreDurations) {
  EXPECT_EQ(At(12) - At(5), absl::Nanoseconds(7));
  EXPECT_EQ(At(5) - At(12), absl::Nanoseconds(-7));
  // More than 64 bits of nanoseconds.
  EXPECT_EQ(At(kMost) - At(kLeast), absl::Nanoseconds(kMost) + absl::Nanoseconds(kMost) + absl::Nanoseconds(1));
}

TEST(MonotonicTimeTest, ADifferenceLeadsBack) {
  for (int64_t from : {int64_t{0}, int64_t{-1}, int64_t{1'000'000'007}, kMost - 1}) {
    for (int64_t to : {int64_t{0}, int64_t{1}, int64_t{999'999'999'999}, kMost - 1}) {
      EXPECT_EQ(At(from) + (At(to) - At(from)), At(to)) << from << " to " << to;
    }
  }
}

}  // namespace
}  // namespace proactor
