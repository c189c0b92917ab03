// SPDX-License-Identifier: Apache-2.0
//
// GoogleTest matchers for absl::Status and absl::StatusOr<T>: IsOk, IsOkAndHolds, StatusIs.
//
//   EXPECT_THAT(file.Sync(), IsOk());
//   EXPECT_THAT(ParsePort("80"), IsOkAndHolds(80));
//   EXPECT_THAT(ParsePort("x"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a number")));
//
// Await first, then assert: GCC 12 may evaluate a `co_await` inside of a macro twice.
#ifndef PROACTOR_TESTING_STATUS_MATCHERS_H_
#define PROACTOR_TESTING_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace absl {

// How GoogleTest shows one; found by its namespace.
template <class T>
void PrintTo(const StatusOr<T>& result, std::ostream* out) {
  if (!result.ok()) {
    *out << result.status();
  } else {
    *out << "OK with " << ::testing::PrintToString(*result);
  }
}

}  // namespace absl

namespace proactor {
namespace internal {

inline const absl::Status& StatusIn(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusIn(const absl::StatusOr<T>& result) {
  return result.status();
}

// Matches a part, and shows it.
template <class Part>
bool ExplainPart(const char* name, const ::testing::Matcher<const Part&>& matcher, const Part& part,
                 ::testing::MatchResultListener* listener) {
  ::testing::StringMatchResultListener inner;
  bool matches = matcher.MatchAndExplain(part, &inner);
  *listener << "whose " << name << " is " << ::testing::PrintToString(part);
  if (!inner.str().empty()) *listener << ", " << inner.str();
  return matches;
}

class IsOkMatcher {
 public:
  using is_gtest_matcher = void;

  template <class Result>
  bool MatchAndExplain(const Result& result, std::ostream*) const {
    return StatusIn(result).ok();
  }
  void DescribeTo(std::ostream* out) const { *out << "is OK"; }
  void DescribeNegationTo(std::ostream* out) const { *out << "is not OK"; }
};

class StatusIsMatcher {
 public:
  using is_gtest_matcher = void;

  StatusIsMatcher(absl::StatusCode code, ::testing::Matcher<const std::string&> message)
      : code_(code), message_(std::move(message)) {}

  template <class Result>
  bool MatchAndExplain(const Result& result, ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusIn(result);
    if (status.code() != code_) {
      *listener << "whose code is " << absl::StatusCodeToString(status.code());
      return false;
    }
    return ExplainPart("message", message_, std::string(status.message()), listener);
  }
  void DescribeTo(std::ostream* out) const {
    *out << "is " << absl::StatusCodeToString(code_) << " with a message that ";
    message_.DescribeTo(out);
  }
  void DescribeNegationTo(std::ostream* out) const {
    *out << "is not " << absl::StatusCodeToString(code_) << ", or has a message that ";
    message_.DescribeNegationTo(out);
  }

 private:
  absl::StatusCode code_;
  ::testing::Matcher<const std::string&> message_;
};

// Becomes a matcher for the StatusOr that it meets.
template <class Inner>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <class Result>
  operator ::testing::Matcher<Result>() const {  // NOLINT(google-explicit-constructor)
    return ::testing::Matcher<Result>(new For<Result>(inner_));
  }

 private:
  template <class Result>
  class For final : public ::testing::MatcherInterface<Result> {
    using Value = typename std::remove_cvref_t<Result>::value_type;

   public:
    explicit For(const Inner& inner) : inner_(::testing::SafeMatcherCast<const Value&>(inner)) {}

    bool MatchAndExplain(Result result, ::testing::MatchResultListener* listener) const override {
      if (!result.ok()) {
        *listener << "which has no value";
        return false;
      }
      return ExplainPart("value", inner_, *result, listener);
    }
    void DescribeTo(std::ostream* out) const override {
      *out << "is OK and has a value that ";
      inner_.DescribeTo(out);
    }
    void DescribeNegationTo(std::ostream* out) const override {
      *out << "is not OK, or has a value that ";
      inner_.DescribeNegationTo(out);
    }

   private:
    ::testing::Matcher<const Value&> inner_;
  };

  Inner inner_;
};

}  // namespace internal

// A Status that is OK, or a StatusOr that has a value.
inline internal::IsOkMatcher IsOk() { return {}; }

// A StatusOr that has a value, which matches.
template <class Inner>
internal::IsOkAndHoldsMatcher<std::decay_t<Inner>> IsOkAndHolds(Inner&& inner) {
  return internal::IsOkAndHoldsMatcher<std::decay_t<Inner>>(std::forward<Inner>(inner));
}

// A failure with this code, and a message that matches.
inline internal::StatusIsMatcher StatusIs(absl::StatusCode code,
                                          ::testing::Matcher<const std::string&> message = ::testing::_) {
  return {code, std::move(message)};
}

}  // namespace proactor

#endif  // PROACTOR_TESTING_STATUS_MATCHERS_H_
