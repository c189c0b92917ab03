// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/choose.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend_choice.h"
#include "proactor/feature.h"
#include "proactor/scheduler.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::Matcher;
using ::testing::StartsWith;

// A program on the chosen backend: bytes to a server on the loopback interface and back.
Task<absl::StatusOr<std::string>> Echo() {
  Connection connection = co_await Try(Connect());
  co_await Try(connection.client.WriteAll("there and back"));
  char buffer[80];
  size_t n = co_await Try(connection.server.Read(buffer));
  co_await Try(connection.server.WriteAll({buffer, n}));
  n = co_await Try(connection.client.Read(buffer));
  co_return std::string(buffer, n);
}

bool Echoes(ChosenProactor chosen) {
  absl::StatusOr<std::string> echo = Scheduler(std::move(chosen.proactor)).Run(Echo());
  return echo.ok() && *echo == "there and back";
}

TEST(ChooseProactorTest, IsIoUringWhereThereIsOne) {
  for (BackendChoice choice : {BackendChoice::kAuto, BackendChoice::kIoUring}) {
    absl::StatusOr<ChosenProactor> chosen = ChooseProactor(choice);
    ASSERT_THAT(chosen, IsOk());
    EXPECT_EQ(chosen->proactor->name(), "io_uring");
    EXPECT_EQ(chosen->reason, "");
    EXPECT_TRUE(Echoes(*std::move(chosen)));
  }
}

TEST(ChooseProactorTest, DoesWithoutWhatIsDisabled) {
  absl::StatusOr<ChosenProactor> chosen = ChooseProactor(BackendChoice::kIoUring, OptionalFeatures());
  ASSERT_THAT(chosen, IsOk());
  EXPECT_FALSE(chosen->proactor->capabilities().Has(Feature::kRecv));
  EXPECT_TRUE(Echoes(*std::move(chosen)));
}

TEST(ChooseProactorTest, IsEpollWithoutWhatIoUringNeeds) {
  FeatureSet needed = *ParseFeatures("ext_arg");
  absl::StatusOr<ChosenProactor> chosen = ChooseProactor(BackendChoice::kAuto, needed);
  ASSERT_THAT(chosen, IsOk());
  EXPECT_EQ(chosen->proactor->name(), "epoll");
  EXPECT_EQ(chosen->reason, "io_uring is not used without ext_arg, which is disabled; using epoll");
  EXPECT_EQ(chosen->proactor->capabilities().reason, chosen->reason);
  EXPECT_THAT(ChooseProactor(BackendChoice::kIoUring, needed), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(ChooseProactorTest, IsEpollWhereItIsWanted) {
  absl::StatusOr<ChosenProactor> chosen = ChooseProactor(BackendChoice::kEpoll);
  ASSERT_THAT(chosen, IsOk());
  EXPECT_EQ(chosen->proactor->name(), "epoll");
  EXPECT_EQ(chosen->reason, "");
  EXPECT_TRUE(Echoes(*std::move(chosen)));
}

// --- Where something is refused: in child processes, which say on standard error how it went. ---

struct Refusal {
  unsigned call;
  int error;
  const char* begins;
  const char* remedy;
};

const Refusal kRefusals[] = {
    {SYS_io_uring_setup, EPERM, "io_uring_setup: Operation not permitted; ",
     "allow io_uring_setup, io_uring_enter and"},
    {SYS_io_uring_setup, ENOSYS, "io_uring_setup: Function not implemented; ", "allow io_uring_setup, io_uring_enter"},
    {SYS_io_uring_setup, EACCES, "io_uring_setup: Permission denied; ", "SELinux, AppArmor"},
    {SYS_io_uring_setup, ENOMEM, "io_uring_setup: Cannot allocate memory; ", "RLIMIT_MEMLOCK (ulimit -l)"},
    {SYS_io_uring_setup, EINVAL, "io_uring_setup: Invalid argument; ", "Linux 5.12"},
    {SYS_io_uring_enter, EPERM, "io_uring_enter: Operation not permitted; ",
     "allow io_uring_setup, io_uring_enter and"},
    {SYS_io_uring_register, EPERM, "io_uring_register: Operation not permitted; ",
     "io_uring_enter and io_uring_register"},
};

[[noreturn]] void Say(bool as_expected, const std::string& what) {
  std::fputs(what.c_str(), stderr);
  _exit(as_expected ? 0 : 1);  // Not exit(3), which a sanitizer would use to open files.
}

[[noreturn]] void SayTheChoice(const SystemCallFilter& filter, BackendChoice choice, std::string_view name) {
  if (!Install(filter)) _exit(2);
  absl::StatusOr<ChosenProactor> chosen = ChooseProactor(choice);
  if (!chosen.ok()) Say(false, chosen.status().ToString());
  std::string reason = chosen->reason;
  bool as_expected = chosen->proactor->name() == name;
  Say(as_expected && Echoes(*std::move(chosen)), reason);
}

TEST(ChooseProactorDeathTest, AutomaticallyIsEpollWhereIoUringIsRefusedAndSaysWhatToDo) {
  for (const Refusal& refusal : kRefusals) {
    EXPECT_EXIT(SayTheChoice(Failing(refusal.call, refusal.error), BackendChoice::kAuto, "epoll"), ExitedWithCode(0),
                Matcher<const std::string&>(
                    AllOf(StartsWith(refusal.begins), HasSubstr(refusal.remedy), EndsWith("; using epoll"))));
  }
}

TEST(ChooseProactorDeathTest, IoUringByNameFailsWhereItIsRefusedAndSaysTheSame) {
  for (const Refusal& refusal : kRefusals) {
    auto child = [&] {
      if (!Install(Failing(refusal.call, refusal.error))) _exit(2);
      absl::StatusOr<ChosenProactor> fallback = ChooseProactor(BackendChoice::kAuto);
      absl::Status status = ChooseProactor(BackendChoice::kIoUring).status();
      Say(fallback.ok() && absl::StrCat(status.message(), "; using epoll") == fallback->reason &&
              absl::IsUnavailable(status),
          std::string(status.message()));
    };
    EXPECT_EXIT(child(), ExitedWithCode(0),
                Matcher<const std::string&>(AllOf(StartsWith(refusal.begins), HasSubstr(refusal.remedy))));
  }
}

TEST(ChooseProactorDeathTest, EpollByNameMakesNoCallOfIoUring) {
  const unsigned kCalls[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
  EXPECT_EXIT(SayTheChoice(FatalOn(kCalls), BackendChoice::kEpoll, "epoll"), ExitedWithCode(0), "^$");
  EXPECT_EXIT(SayTheChoice(FatalOn(kCalls), BackendChoice::kAuto, "epoll"), ::testing::KilledBySignal(SIGSYS), "")
      << "the filter catches nobody";
}

// By filters, because a sanitizer needs descriptors of its own to look at objects.
TEST(ChooseProactorDeathTest, RunningOutOfDescriptorsIsAnErrorOfItsOwn) {
  struct {
    BackendChoice choice;
    unsigned call;
  } kCalls[] = {
      {BackendChoice::kAuto, SYS_io_uring_setup},    {BackendChoice::kAuto, SYS_eventfd2},
      {BackendChoice::kIoUring, SYS_io_uring_setup}, {BackendChoice::kIoUring, SYS_eventfd2},
      {BackendChoice::kEpoll, SYS_epoll_create1},    {BackendChoice::kEpoll, SYS_eventfd2},
  };
  for (const auto& [choice, call] : kCalls) {
    for (int error : {EMFILE, ENFILE}) {
      auto child = [choice = choice, call = call, error] {
        if (!Install(Failing(call, error))) _exit(2);
        absl::Status status = ChooseProactor(choice).status();
        Say(absl::IsResourceExhausted(status), std::string(status.message()));
      };
      EXPECT_EXIT(child(), ExitedWithCode(0), "^(io_uring_setup|eventfd|epoll_create1): Too many open files");
    }
  }
}

}  // namespace
}  // namespace proactor
