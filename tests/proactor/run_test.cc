// SPDX-License-Identifier: Apache-2.0
#include "proactor/run.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/log.h"
#include "proactor/sleep.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

TEST(RunTest, YieldsTheResultOfAnyType) {
  auto number = []() -> Task<int> { co_return 7; };
  EXPECT_EQ(proactor::Run(number()), 7);
  auto owned = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(8); };
  EXPECT_EQ(*proactor::Run(owned()), 8);
  bool ran = false;
  auto nothing = [&]() -> Task<void> {
    ran = true;
    co_return;
  };
  proactor::Run(nothing());
  EXPECT_TRUE(ran);
}

TEST(RunTest, YieldsTheFailure) {
  auto body = []() -> Task<absl::StatusOr<int>> { co_return absl::DataLossError("gone"); };
  EXPECT_THAT(proactor::Run(body()), StatusIs(absl::StatusCode::kDataLoss, "gone"));
}

TEST(RunTest, RunsTheLoopUntilTheTaskHasEnded) {
  auto body = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Milliseconds(1)); };
  EXPECT_THAT(proactor::Run(body()), IsOk());
}

TEST(RunTest, MayBeCalledAgain) {
  auto number = [](int value) -> Task<int> { co_return value; };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(proactor::Run(number(i)), i);
}

// --- Without io_uring, as in a container that forbids it. ---

// Ends a child process with 0 if the condition holds. Not by exit(3), which a sanitizer would use to open files.
void ExitWith(bool condition) { _exit(condition ? 0 : 1); }

TEST(RunDeathTest, WithoutIoUringATaskThatCarriesAStatusSaysWhy) {
  auto child = [] {
    if (!Install(Failing(SYS_io_uring_setup, EPERM))) _exit(2);
    auto body = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
    absl::Status status = proactor::Run(body());
    std::string text = status.ToString();
    ExitWith(absl::IsUnavailable(status) &&
             text.find("no io_uring: io_uring_setup: Operation not permitted") != std::string::npos);
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "");
}

TEST(RunDeathTest, WithoutIoUringATaskThatCarriesNoStatusEndsTheProcessWithTheReason) {
  auto child = [] {
    if (!Install(Failing(SYS_io_uring_setup, ENOSYS))) _exit(2);
    auto body = []() -> Task<int> { co_return 1; };
    proactor::Run(body());
  };
  EXPECT_DEATH(child(), "no io_uring: io_uring_setup: Function not implemented");
}

// Whoever reads standard input then would read the ring, and wait for ever.
TEST(RunDeathTest, TheRingNeverTakesTheNumberOfAStandardDescriptor) {
  auto child = [] {
    for (int number : {0, 1}) close(number);
    absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor();
    ExitWith(proactor.ok() && fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0);
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "");
}

// --- What main returns. ---

std::vector<std::pair<LogSeverity, std::string>>* logged = nullptr;

class ExitCodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    logged = &lines_;
    SetLogSink([](LogSeverity severity, std::string_view line) { logged->emplace_back(severity, line); });
  }
  void TearDown() override { SetLogSink(nullptr); }

  std::vector<std::pair<LogSeverity, std::string>> lines_;
};

TEST_F(ExitCodeTest, SuccessIsZeroAndSilent) {
  EXPECT_EQ(ExitCode(absl::OkStatus()), 0);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(ExitCodeTest, FailureIsOneAndOneLineOfLog) {
  EXPECT_EQ(ExitCode(absl::NotFoundError("no such host")), 1);
  EXPECT_THAT(lines_, ElementsAre(Pair(LogSeverity::kError, StartsWith("NOT_FOUND: no such host"))));
}

}  // namespace
}  // namespace proactor
