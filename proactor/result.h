// SPDX-License-Identifier: Apache-2.0
//
// What the library knows about result types: which can carry a failure, how a plain value joins them, and where a
// coroutine keeps one.
//
//   CarriesStatus<absl::StatusOr<int>>       // true: `Try` works in a coroutine that returns it
//   WithStatus<int>                          // absl::StatusOr<int>: an int that may also fail
//   WithStatus<void>                         // absl::Status
#ifndef PROACTOR_RESULT_H_
#define PROACTOR_RESULT_H_

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace proactor {
namespace internal {

template <class T>
struct ResultTraits {
  static constexpr bool kCarriesStatus = false;
  using WithStatus = absl::StatusOr<T>;
};
template <>
struct ResultTraits<void> {
  static constexpr bool kCarriesStatus = false;
  using WithStatus = absl::Status;
};
template <>
struct ResultTraits<absl::Status> {
  static constexpr bool kCarriesStatus = true;
  using WithStatus = absl::Status;
  using Value = void;
};
template <class T>
struct ResultTraits<absl::StatusOr<T>> {
  static constexpr bool kCarriesStatus = true;
  using WithStatus = absl::StatusOr<T>;
  using Value = T;
};

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}
inline absl::Status StatusOf(absl::Status&& status) { return std::move(status); }
template <class T>
absl::Status StatusOf(absl::StatusOr<T>&& result) {
  return std::move(result).status();
}

inline void ValueOf(absl::Status&&) {}
template <class T>
T ValueOf(absl::StatusOr<T>&& result) {
  return *std::move(result);
}

}  // namespace internal

template <class T>
inline constexpr bool CarriesStatus = internal::ResultTraits<T>::kCarriesStatus;

template <class T>
using WithStatus = typename internal::ResultTraits<T>::WithStatus;

namespace internal {

// Where a promise keeps the result until it is taken.
template <class T>
struct ResultSlot {
  std::optional<T> result;
  template <class U = T>
    requires std::constructible_from<T, U&&>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }
  T Take() { return *std::move(result); }
};
// Being done is the state of the coroutine: what can be made of nothing needs no "not yet".
template <class T>
  requires(CarriesStatus<T> || std::is_arithmetic_v<T> || std::is_pointer_v<T>)
struct ResultSlot<T> {
  T result;
  template <class U = T>
    requires std::convertible_to<U&&, T>
  void return_value(U&& value) {
    result = std::forward<U>(value);
  }
  T Take() { return std::move(result); }
};
template <>
struct ResultSlot<void> {
  void return_void() {}
  void Take() {}
};

}  // namespace internal

}  // namespace proactor

#endif  // PROACTOR_RESULT_H_
