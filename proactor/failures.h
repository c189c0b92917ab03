// SPDX-License-Identifier: Apache-2.0
//
// Failures: several failures, told in one status.
//
//   Failures failures;
//   failures.Add("mirror 1", absl::UnavailableError("connection refused"));
//   failures.Add("mirror 2", absl::NotFoundError("no such file"));
//   co_return failures.Summary();
//   // UNAVAILABLE: 2 failed: mirror 1: UNAVAILABLE: connection refused; mirror 2: NOT_FOUND: no such file
//
// The code and the payloads are those of the first. Of very many, the first `kNamed` are named.
#ifndef PROACTOR_FAILURES_H_
#define PROACTOR_FAILURES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace proactor {

class Failures {
 public:
  static constexpr int kNamed = 100;

  // `failure` is not OK.
  void Add(std::string_view name, const absl::Status& failure);

  int count() const { return count_; }

  // OK if there was none.
  absl::Status Summary() const;

 private:
  absl::Status first_;
  std::string text_;
  int count_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_FAILURES_H_
