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

TEST(ResultTest, StatusOfWhatIsOnlyLookedAtCopiesNothing) {
  const absl::Status status = absl::NotFoundError("gone");
  EXPECT_EQ(&internal::StatusOf(status), &status);
  const absl::StatusOr<std::unique_ptr<int>> result = absl::NotFoundError("gone");
  EXPECT_EQ(&internal::StatusOf(result), &result.status());
}

TEST(ResultTest, ASlotGivesBackWhatWasReturned) {
  internal::ResultSlot<int> number;
  number.return_value(7);
  EXPECT_EQ(number.Take(), 7);

  internal::ResultSlot<std::unique_ptr<int>> owned;
  owned.return_value(std::make_unique<int>(7));
  EXPECT_EQ(*owned.Take(), 7);

  internal::ResultSlot<absl::Status> status;
  status.return_value(absl::NotFoundError("gone"));
  EXPECT_EQ(status.Take(), absl::NotFoundError("gone"));
}

// As in a coroutine: co_return 7; co_return absl::NotFoundError("gone");
TEST(ResultTest, ASlotForAStatusOrTakesValuesAndFailures) {
  internal::ResultSlot<absl::StatusOr<std::unique_ptr<int>>> slot;
  slot.return_value(std::make_unique<int>(7));
  absl::StatusOr<std::unique_ptr<int>> taken = slot.Take();
  ASSERT_THAT(taken, IsOk());
  EXPECT_EQ(**taken, 7);
  slot.return_value(absl::NotFoundError("gone"));
  EXPECT_THAT(slot.Take(), StatusIs(absl::StatusCode::kNotFound, "gone"));
}

struct NoDefault {
  explicit NoDefault(int n) : number(n) {}
  int number;
};

TEST(ResultTest, ASlotNeedsNoDefault) {
  static_assert(!std::is_default_constructible_v<NoDefault>);
  internal::ResultSlot<NoDefault> slot;
  slot.return_value(NoDefault(7));
  EXPECT_EQ(slot.Take().number, 7);
}

}  // namespace
}  // namespace proactor
