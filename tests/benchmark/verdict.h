// SPDX-License-Identifier: Apache-2.0

// Whether a figure meets its bar, given what the machine can tell apart at the moment.
//
//   Verdict verdict = VerdictOf(1.06, 1.05, 1.05 * NoiseFactor(null_test));
#ifndef PROACTOR_TESTS_BENCHMARK_VERDICT_H_
#define PROACTOR_TESTS_BENCHMARK_VERDICT_H_

namespace proactor::benchmark {

enum class Verdict {
  kMet,          // at or below the bar itself
  kWithinNoise,  // above the bar, by no more than the same run's null test is off
  kMissed,
  kNotMeasured,
};

inline Verdict VerdictOf(double figure, double limit, double widened_limit) {
  if (figure <= limit) return Verdict::kMet;
  return figure <= widened_limit ? Verdict::kWithinNoise : Verdict::kMissed;
}

inline bool Passed(Verdict verdict) { return verdict == Verdict::kMet || verdict == Verdict::kWithinNoise; }

inline const char* Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMet:
      return "met";
    case Verdict::kWithinNoise:
      return "within noise";
    case Verdict::kMissed:
      return "MISSED";
    case Verdict::kNotMeasured:
      return "NOT MEASURED";
  }
  return "";
}

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_VERDICT_H_
