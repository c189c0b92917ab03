// SPDX-License-Identifier: Apache-2.0
#include "proactor/testing/status_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace proactor {
namespace {

using ::testing::_;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointee;

const absl::Status kMissing = absl::NotFoundError("no such file");

template <class Matcher, class Value>
std::string Explanation(const Matcher& matcher, const Value& value) {
  ::testing::StringMatchResultListener listener;
  ::testing::ExplainMatchResult(::testing::Matcher<const Value&>(matcher), value, &listener);
  return listener.str();
}

template <class Value, class Matcher>
std::string Description(const Matcher& matcher) {
  std::ostringstream out;
  ::testing::Matcher<const Value&>(matcher).DescribeTo(&out);
  return out.str();
}

TEST(StatusMatchersTest, IsOk) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(kMissing, Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(7), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(kMissing), Not(IsOk()));
}

TEST(StatusMatchersTest, IsOkAndHolds) {
  EXPECT_THAT(absl::StatusOr<int>(7), IsOkAndHolds(7));
  EXPECT_THAT(absl::StatusOr<size_t>(7), IsOkAndHolds(7));
  EXPECT_THAT(absl::StatusOr<int>(7), IsOkAndHolds(Gt(6)));
  EXPECT_THAT(absl::StatusOr<int>(7), Not(IsOkAndHolds(8)));
  EXPECT_THAT(absl::StatusOr<int>(kMissing), Not(IsOkAndHolds(_)));
  EXPECT_THAT(absl::StatusOr<std::string>("hello"), IsOkAndHolds("hello"));
  EXPECT_THAT(absl::StatusOr<std::string>("hello"), IsOkAndHolds(HasSubstr("ell")));
}

TEST(StatusMatchersTest, AValueNeedNotBeCopied) {
  absl::StatusOr<std::unique_ptr<int>> result = std::make_unique<int>(7);
  EXPECT_THAT(result, IsOk());
  EXPECT_THAT(result, IsOkAndHolds(Pointee(7)));
}

TEST(StatusMatchersTest, StatusIs) {
  EXPECT_THAT(kMissing, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(kMissing, StatusIs(absl::StatusCode::kNotFound, "no such file"));
  EXPECT_THAT(kMissing, StatusIs(absl::StatusCode::kNotFound, HasSubstr("such")));
  EXPECT_THAT(kMissing, Not(StatusIs(absl::StatusCode::kNotFound, HasSubstr("other"))));
  EXPECT_THAT(kMissing, Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(absl::StatusOr<int>(kMissing), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(absl::StatusOr<int>(7), StatusIs(absl::StatusCode::kOk));
}

TEST(StatusMatchersTest, ExplainWhatIsDifferent) {
  int five = 5;
  EXPECT_EQ(Explanation(StatusIs(absl::StatusCode::kInternal), kMissing), "whose code is NOT_FOUND");
  EXPECT_EQ(Explanation(IsOkAndHolds(8), absl::StatusOr<int>(kMissing)), "which has no value");
  EXPECT_EQ(Explanation(IsOkAndHolds(Gt(8)), absl::StatusOr<int>(5)), "whose value is 5");
  EXPECT_THAT(Explanation(IsOkAndHolds(Pointee(8)), absl::StatusOr<int*>(&five)), HasSubstr(", which points to 5"));
  EXPECT_EQ(Description<absl::Status>(IsOk()), "is OK");
  EXPECT_EQ(Description<absl::StatusOr<int>>(IsOkAndHolds(8)), "is OK and has a value that is equal to 8");
  EXPECT_THAT(Description<absl::Status>(StatusIs(absl::StatusCode::kInternal, "x")),
              HasSubstr("is INTERNAL with a message that is equal to \"x\""));
}

TEST(StatusMatchersTest, ResultsAreShownWithTheirValues) {
  EXPECT_EQ(::testing::PrintToString(absl::StatusOr<int>(7)), "OK with 7");
  EXPECT_EQ(::testing::PrintToString(absl::StatusOr<std::string>("hi")), "OK with \"hi\"");
  EXPECT_EQ(::testing::PrintToString(absl::StatusOr<int>(kMissing)), "NOT_FOUND: no such file");
}

}  // namespace
}  // namespace proactor
