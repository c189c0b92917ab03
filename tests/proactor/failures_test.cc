// SPDX-License-Identifier: Apache-2.0
#include "proactor/failures.h"

#include <cerrno>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(FailuresTest, NoneIsOk) {
  Failures failures;
  EXPECT_THAT(failures.Summary(), IsOk());
}

TEST(FailuresTest, TheSummaryHasTheFirstOnesCodeAndNamesEach) {
  Failures failures;
  failures.Add("mirror 1", absl::UnavailableError("connection refused"));
  failures.Add("", absl::NotFoundError("no such file"));
  EXPECT_EQ(failures.count(), 2);
  EXPECT_THAT(failures.Summary(),
              StatusIs(absl::StatusCode::kUnavailable,
                       "2 failed: mirror 1: UNAVAILABLE: connection refused; (unnamed): NOT_FOUND: no such file"));
}

TEST(FailuresTest, TheSummaryKeepsThePayloadsOfTheFirst) {
  Failures failures;
  failures.Add("reader", ErrnoToStatus(ECONNRESET, "recv"));
  EXPECT_EQ(ErrnoOf(failures.Summary()), ECONNRESET);
}

TEST(FailuresTest, OfVeryManyTheRestIsCounted) {
  Failures failures;
  for (int i = 0; i < Failures::kNamed + 5; ++i) failures.Add(std::to_string(i), absl::AbortedError("no"));
  std::string message(failures.Summary().message());
  EXPECT_THAT(message, HasSubstr("105 failed: 0: ABORTED: no; 1: "));
  EXPECT_THAT(message, EndsWith("; 99: ABORTED: no; and 5 more"));
  EXPECT_THAT(message, Not(HasSubstr("100: ")));
}

}  // namespace
}  // namespace proactor
