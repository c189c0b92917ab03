// SPDX-License-Identifier: Apache-2.0
#include "proactor/run.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
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

// --- Which backend: in child processes, as in a container that forbids io_uring. ---

// Ends a child process with 0 if the condition holds. Not by exit(3), which a sanitizer would use to open files.
void ExitWith(bool condition) { _exit(condition ? 0 : 1); }

Task<absl::Status> Turn() { co_return co_await Sleep(absl::Nanoseconds(1)); }

constexpr unsigned kCallsOfIoUring[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};

TEST(RunDeathTest, WithoutIoUringATaskRunsOnEpollAndOneWarningSaysWhy) {
  auto child = [] {
    if (!Install(Failing(SYS_io_uring_setup, EPERM))) _exit(2);
    bool ran = true;
    for (int i = 0; i < 3; ++i) ran = ran && proactor::Run(Turn()).ok();
    absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor();
    ExitWith(ran && proactor.ok() && (*proactor)->name() == "epoll");
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0),
              "^proactor: warning: io_uring_setup: Operation not permitted; [^\n]*; using epoll\n$");
}

TEST(RunDeathTest, WithoutTheIoUringThatWasAskedForATaskThatCarriesAStatusSaysWhy) {
  auto child = [] {
    if (!Install(Failing(SYS_io_uring_setup, EPERM))) _exit(2);
    absl::Status status = proactor::Run(Turn(), {.backend = BackendChoice::kIoUring});
    Log(LogSeverity::kInfo, std::string(status.message()));
    ExitWith(absl::IsUnavailable(status));
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "^proactor: io_uring_setup: Operation not permitted; .*allow");
}

TEST(RunDeathTest, WithoutTheIoUringThatWasAskedForATaskThatCarriesNoStatusEndsTheProcessWithTheReason) {
  auto child = [] {
    if (!Install(Failing(SYS_io_uring_setup, ENOSYS))) _exit(2);
    auto body = []() -> Task<int> { co_return 1; };
    proactor::Run(body(), {.backend = BackendChoice::kIoUring});
  };
  EXPECT_DEATH(child(), "io_uring_setup: Function not implemented; this kernel has no io_uring");
}

TEST(RunDeathTest, EpollMakesNoCallOfIoUring) {
  auto child = [] {
    if (!Install(FatalOn(kCallsOfIoUring))) _exit(2);
    ExitWith(proactor::Run(Turn(), {.backend = BackendChoice::kEpoll}).ok());
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "^$");
}

TEST(RunDeathTest, TheEnvironmentChoosesWhereCodeDoesNot) {
  auto child = [] {
    setenv("PROACTOR_BACKEND", "epoll", 1);
    if (!Install(FatalOn(kCallsOfIoUring))) _exit(2);
    ExitWith(proactor::Run(Turn()).ok());
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "^$");
}

TEST(RunDeathTest, CodeChoosesWhateverTheEnvironmentSays) {
  auto child = [] {
    setenv("PROACTOR_BACKEND", "epoll", 1);
    absl::StatusOr<std::unique_ptr<Proactor>> automatic = MakeProactor({.backend = BackendChoice::kAuto});
    setenv("PROACTOR_BACKEND", "nonsense", 1);
    bool ran = proactor::Run(Turn(), {.backend = BackendChoice::kEpoll}).ok();
    ExitWith(ran && automatic.ok() && (*automatic)->name() == "io_uring");
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "^$");
}

TEST(RunDeathTest, AWrongWordInTheEnvironmentIsAnError) {
  auto child = [] {
    setenv("PROACTOR_BACKEND", "kqueue", 1);
    absl::Status status = proactor::Run(Turn());
    Log(LogSeverity::kInfo, std::string(status.message()));
    ExitWith(absl::IsInvalidArgument(status));
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "PROACTOR_BACKEND: there is no backend 'kqueue'");
}

TEST(RunDeathTest, TheEnvironmentDisablesFeaturesWhereCodeDoesNot) {
  auto child = [] {
    setenv("PROACTOR_DISABLE", "recv", 1);
    absl::StatusOr<std::unique_ptr<Proactor>> masked = MakeProactor({.backend = BackendChoice::kIoUring});
    absl::StatusOr<std::unique_ptr<Proactor>> whole =
        MakeProactor({.backend = BackendChoice::kIoUring, .disabled = FeatureSet()});
    ExitWith(masked.ok() && !(*masked)->capabilities().Has(Feature::kRecv) && whole.ok() &&
             (*whole)->capabilities().Has(Feature::kRecv));
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "^$");
}

TEST(RunDeathTest, AWrongFeatureInTheEnvironmentIsAnErrorOnEveryBackend) {
  for (BackendChoice backend : {BackendChoice::kIoUring, BackendChoice::kEpoll}) {
    auto child = [&] {
      setenv("PROACTOR_DISABLE", "receive", 1);
      absl::Status status = proactor::Run(Turn(), {.backend = backend});
      Log(LogSeverity::kInfo, std::string(status.message()));
      ExitWith(absl::IsInvalidArgument(status));
    };
    EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "PROACTOR_DISABLE: there is no feature 'receive'");
  }
}

// Whoever reads standard input then would read the ring, and wait for ever.
TEST(RunDeathTest, NoBackendTakesTheNumberOfAStandardDescriptor) {
  for (BackendChoice backend : {BackendChoice::kIoUring, BackendChoice::kEpoll}) {
    auto child = [&] {
      for (int number : {0, 1}) close(number);
      absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor({.backend = backend});
      ExitWith(proactor.ok() && fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0);
    };
    EXPECT_EXIT(child(), ::testing::ExitedWithCode(0), "");
  }
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
