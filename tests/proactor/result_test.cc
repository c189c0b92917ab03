// SPDX-License-Identifier: Apache-2.0
#include "proactor/result.h"

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

TEST(ResultTest, OnlyStatusAndStatusOrCarryAFailure) {
  static_assert(CarriesStatus<absl::Status>);
  static_assert(CarriesStatus<absl::StatusOr<int>>);
  static_assert(CarriesStatus<absl::StatusOr<std::unique_ptr<int>>>);
  static_assert(!CarriesStatus<void>);
  static_assert(!CarriesStatus<int>);
  static_assert(!CarriesStatus<bool>);
  static_assert(!CarriesStatus<std::string>);
  static_assert(!CarriesStatus<absl::StatusCode>);
}

TEST(ResultTest, WithStatusAddsAFailureOnlyWhereThereIsNone) {
  static_assert(std::is_same_v<WithStatus<void>, absl::Status>);
  static_assert(std::is_same_v<WithStatus<int>, absl::StatusOr<int>>);
  static_assert(std::is_same_v<WithStatus<std::unique_ptr<int>>, absl::StatusOr<std::unique_ptr<int>>>);
  static_assert(std::is_same_v<WithStatus<absl::Status>, absl::Status>);
  static_assert(std::is_same_v<WithStatus<absl::StatusOr<int>>, absl::StatusOr<int>>);
}

TEST(ResultTest, KnowsTheValueOfAResult) {
  static_assert(std::is_same_v<internal::ResultTraits<absl::Status>::Value, void>);
  static_assert(std::is_same_v<internal::ResultTraits<absl::StatusOr<int>>::Value, int>);
}

TEST(ResultTest, StatusOfAFailureIsTheFailure) {
  EXPECT_EQ(internal::StatusOf(absl::NotFoundError("gone")), absl::NotFoundError("gone"));
  EXPECT_EQ(internal::StatusOf(absl::StatusOr<int>(absl::NotFoundError("gone"))), absl::NotFoundError("gone"));
}

TEST(ResultTest, StatusOfASuccessIsOk) {
  EXPECT_THAT(internal::StatusOf(absl::OkStatus()), IsOk());
  EXPECT_THAT(internal::StatusOf(absl::StatusOr<int>(7)), IsOk());
}

TEST(ResultTest, ValuesAreMovedOut) {
  absl::StatusOr<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const int* address = result->get();
  std::unique_ptr<int> value = internal::ValueOf(std::move(result));
  EXPECT_EQ(value.get(), address);
  static_assert(std::is_void_v<decltype(internal::ValueOf(absl::OkStatus()))>);
}

}  // namespace
}  // namespace proactor
