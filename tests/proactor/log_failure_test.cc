// SPDX-License-Identifier: Apache-2.0
#include "proactor/log_failure.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/log.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "tests/support/backends.h"
#include "tests/support/receipt.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> logged;

class LogFailureTest : public BackendTest {
 protected:
  LogFailureTest() {
    logged.clear();
    SetLogSink([](LogSeverity, std::string_view line) { logged.emplace_back(line); });
  }
  ~LogFailureTest() override { SetLogSink(nullptr); }
};
INSTANTIATE_ON_EVERY_BACKEND(LogFailureTest);

Task<absl::StatusOr<int>> Yield(absl::StatusOr<int> result) { co_return result; }

TEST_P(LogFailureTest, AFailureIsLoggedWithItsName) {
  Run(LogFailure(Yield(absl::AbortedError("no")), "prefetch"));
  EXPECT_THAT(logged, ElementsAre(HasSubstr("prefetch: ABORTED: no")));
}

TEST_P(LogFailureTest, ASuccessIsNotLogged) {
  Run(LogFailure(Yield(5), "prefetch"));
  Run(LogFailure(Sleep(absl::Microseconds(1)), "pause"));
  EXPECT_THAT(logged, IsEmpty());
}

TEST_P(LogFailureTest, ACancellationIsNotLogged) {
  absl::Status status = Run(WithTimeout(absl::Microseconds(1), LogFailure(Sleep(absl::Hours(1)), "pause")));
  EXPECT_THAT(status, IsOk());
  EXPECT_THAT(logged, IsEmpty());
}

Task<absl::StatusOr<Receipt>> Hold(Receipt receipt) { co_return std::move(receipt); }

TEST_P(LogFailureTest, WrittenInlineDestroysEverythingOnce) {
  Ledger ledger;
  auto body = [&]() -> Task<void> { co_await LogFailure(Hold(ledger.Issue()), "hold"); };
  Run(body());
  EXPECT_EQ(ledger.dropped(), 1);
}

}  // namespace
}  // namespace proactor
