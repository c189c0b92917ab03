// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/cell.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace proactor::benchmark {
namespace {

TEST(CellTest, NameSaysConnectionsBytesAndMessagesInFlight) {
  const absl::StatusOr<Cell> cell = ParseCell("c1000s65536p16");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_EQ(cell->connections, 1000);
  EXPECT_EQ(cell->bytes, 65536);
  EXPECT_EQ(cell->in_flight, 16);
  EXPECT_EQ(cell->Name(), "c1000s65536p16");
}

TEST(CellTest, DefaultIsFiftyConnectionsWithOneSmallMessageEach) { EXPECT_EQ(Cell().Name(), "c50s64p1"); }

TEST(CellTest, ChurnIsTwentyConnectionsAtATime) {
  const absl::StatusOr<Cell> cell = ParseCell("churn");
  ASSERT_TRUE(cell.ok()) << cell.status();
  EXPECT_TRUE(cell->churns);
  EXPECT_EQ(cell->connections, 20);
  EXPECT_EQ(cell->Name(), "churn");
  EXPECT_FALSE(ParseCell("c20s64p1")->churns);
}

TEST(CellTest, RefusesWhatIsNotACell) {
  for (const char* name : {"", "c50", "c50s64", "s64c50p1", "c50s64p1 ", "c50s64p", "c0s64p1", "c-1s64p1", "c50s64p1x",
                           "c99999999999s64p1", "c50s99999999p1", "c50s64p100000", "churn1"}) {
    EXPECT_EQ(ParseCell(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace proactor::benchmark
