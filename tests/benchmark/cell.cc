// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/cell.h"

#include <charconv>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace proactor::benchmark {
namespace {

constexpr std::string_view kChurn = "churn";
constexpr int kMaximumConnections = 20000;
constexpr int kMaximumBytes = 1 << 20;
constexpr int kMaximumInFlight = 1024;

// Takes `letter` and the number after it off the front of `text`.
bool TakeNumber(std::string_view& text, char letter, int maximum, int& number) {
  if (text.empty() || text.front() != letter) return false;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number >= 1 && number <= maximum;
}

}  // namespace

std::string Cell::Name() const {
  return churns ? std::string(kChurn) : absl::StrCat("c", connections, "s", bytes, "p", in_flight);
}

absl::StatusOr<Cell> ParseCell(std::string_view name) {
  if (name == kChurn) return Cell::Churn();
  Cell cell;
  std::string_view rest = name;
  if (!TakeNumber(rest, 'c', kMaximumConnections, cell.connections) ||
      !TakeNumber(rest, 's', kMaximumBytes, cell.bytes) || !TakeNumber(rest, 'p', kMaximumInFlight, cell.in_flight) ||
      !rest.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", std::string(name), "\" is not a cell; one is c50s64p1 (",
                                                   "connections, bytes per message, messages in flight on each), and ",
                                                   "another is churn"));
  }
  return cell;
}

}  // namespace proactor::benchmark
