// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_local.h"

#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/all.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

constinit TaskLocal<int> number(-1);
constinit TaskLocal<const char*> word("nothing");
TaskLocal<std::string> text;

class TaskLocalTest : public BackendTest {};

Task<int> Number() { co_return co_await number.Get(); }

// After having waited.
Task<absl::StatusOr<int>> NumberLater() {
  co_await Try(Sleep(absl::Microseconds(10)));
  int value = co_await Number();
  co_return value;
}

TEST_P(TaskLocalTest, IsBoundForAsLongAsTheAwaitableLasts) {
  auto body = []() -> Task<void> {
    int before = co_await Number();
    int inside = co_await WithTaskLocal(number, 7, Number());
    int after = co_await Number();
    EXPECT_EQ(before, -1);
    EXPECT_EQ(inside, 7);
    EXPECT_EQ(after, -1);
  };
  Run(body());
}

TEST_P(TaskLocalTest, AnInnerBindingHidesTheOuterAndOtherLocalsAreApart) {
  auto inner = []() -> Task<absl::Status> {
    int value = co_await Try(NumberLater());
    const char* other = co_await word.Get();
    const std::string& string = co_await text.Get();
    EXPECT_EQ(value, 2);
    EXPECT_STREQ(other, "word");
    EXPECT_EQ(string, "a string that is too long to be kept without an allocation");
    co_return absl::OkStatus();
  };
  auto middle = [&]() -> Task<absl::Status> {
    absl::Status status = co_await WithTaskLocal(number, 2, inner());
    int value = co_await Number();
    EXPECT_EQ(value, 1);
    co_return status;
  };
  auto body = [&]() -> Task<absl::Status> {
    std::string string = "a string that is too long to be kept without an allocation";
    co_return co_await WithTaskLocal(number, 1, WithTaskLocal(word, "word", WithTaskLocal(text, string, middle())));
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(TaskLocalTest, PassesThroughTimeoutsShieldsAndScopes) {
  auto body = []() -> Task<absl::Status> {
    CancelScope scope(co_await CurrentContext());
    int value = co_await Try(WithTimeout(absl::Hours(1), Shield(internal::InScope(scope, NumberLater()))));
    EXPECT_EQ(value, -1) << "The scope was made outside.";
    co_return absl::OkStatus();
  };
  auto inside = []() -> Task<absl::Status> {
    int value = co_await Try(WithTimeout(absl::Hours(1), Shield(NumberLater())));
    EXPECT_EQ(value, 5);
    CancelScope scope(co_await CurrentContext());
    value = co_await Try(internal::InScope(scope, NumberLater()));
    EXPECT_EQ(value, 5);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_THAT(Run(WithTaskLocal(number, 5, inside())), IsOk());
}

// A scope that was made outside of the binding, and awaited inside: what its children see must outlive them.
TEST_P(TaskLocalTest, ChildrenInheritWhatWasBoundWhereTheirGroupWasMade) {
  std::vector<int> seen;
  auto child = [&]() -> Task<absl::Status> {
    int value = co_await Try(NumberLater());
    seen.push_back(value);
    co_return absl::OkStatus();
  };
  auto spawn = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    co_return absl::OkStatus();
  };
  auto group_body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(child());
    co_await Try(WithTaskLocal(number, 2, spawn(group)));
    co_return absl::OkStatus();
  };
  auto inside = [&]() -> Task<absl::Status> { co_return co_await WithTaskGroup(group_body); };
  EXPECT_THAT(Run(WithTaskLocal(number, 1, inside())), IsOk());
  EXPECT_THAT(seen, ElementsAre(1, 1));
}

TEST_P(TaskLocalTest, BranchesInheritToo) {
  auto inside = []() -> Task<absl::Status> {
    auto both = co_await All(NumberLater(), WithTaskLocal(number, 4, NumberLater()));
    EXPECT_THAT(both, IsOk());
    EXPECT_EQ(std::get<0>(*both), 3);
    EXPECT_EQ(std::get<1>(*both), 4);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskLocal(number, 3, inside())), IsOk());
}

TEST_P(TaskLocalTest, ATaskAtTheRootSeesNothing) {
  int seen = 0;
  auto root = [&]() -> Task<absl::Status> {
    seen = co_await Number();
    co_return absl::OkStatus();
  };
  auto body = [&]() -> Task<absl::Status> {
    scheduler().Spawn(root(), "root");
    co_return co_await Sleep(absl::Microseconds(10));
  };
  EXPECT_THAT(Run(WithTaskLocal(number, 3, body())), IsOk());
  EXPECT_EQ(seen, -1);
}

TEST_P(TaskLocalTest, AFailureAndACancellationPassThrough) {
  auto fails = []() -> Task<absl::StatusOr<int>> { co_return absl::DataLossError("lost"); };
  auto body = [&]() -> Task<absl::Status> {
    absl::StatusOr<int> lost = co_await WithTaskLocal(number, 1, fails());
    EXPECT_THAT(lost, StatusIs(absl::StatusCode::kDataLoss));
    absl::Status late = co_await WithTimeout(absl::Microseconds(10), WithTaskLocal(number, 1, Sleep(absl::Hours(1))));
    EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_await Try(WithTaskLocal(number, 1, fails()));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_P(TaskLocalTest, CanBeReadWithAContext) {
  auto plain = [](const Context& context) { return number.Get(context); };
  auto body = [&]() -> Task<int> { co_return plain(co_await CurrentContext()); };
  EXPECT_EQ(Run(WithTaskLocal(number, 6, body())), 6);
}

INSTANTIATE_ON_EVERY_BACKEND(TaskLocalTest);

}  // namespace
}  // namespace proactor
