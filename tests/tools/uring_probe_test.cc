// SPDX-License-Identifier: Apache-2.0
//
// uring-probe as its users run it: a process, with what a container or an administrator forbids.
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proactor/descriptor.h"
#include "tests/support/child_process.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kProbe[] = "tools/uring-probe";

TEST(UringProbeTest, OnThisMachineSaysThatIoUringIsUsed) {
  Ending ending = RunToEnd({.program = kProbe});
  EXPECT_EQ(ending.exit_status, 0) << ending;
  EXPECT_EQ(ending.error, "");
  EXPECT_THAT(ending.output,
              AllOf(StartsWith("kernel "), HasSubstr("\nbackend           io_uring\n"), HasSubstr("\nlimits "),
                    HasSubstr("kernel.io_uring_disabled"), HasSubstr("\n  yes nop "), HasSubstr("\noperations\n")));
}

TEST(UringProbeTest, IsForProgramsToo) {
  Ending ending = RunToEnd({.program = kProbe, .arguments = {"--json"}});
  EXPECT_EQ(ending.exit_status, 0) << ending;
  nlohmann::json json = nlohmann::json::parse(ending.output);
  EXPECT_EQ(json["backend"], "io_uring");
  EXPECT_EQ(json["features"]["nop"]["state"], "on");
  EXPECT_GT(json["first_completion_ms"], 0);
}

TEST(UringProbeTest, SaysWhetherTheRingIsRestricted) {
  EXPECT_THAT(RunToEnd({.program = kProbe}).output, HasSubstr("the ring takes any request"));
  Ending ending = RunToEnd({.program = kProbe, .arguments = {"--json", "--restricted"}});
  EXPECT_EQ(ending.exit_status, 0) << ending;
  nlohmann::json json = nlohmann::json::parse(ending.output);
  EXPECT_EQ(json["backend"], "io_uring");
  EXPECT_EQ(json["restricted"], true);
}

// As Docker's profile does it, and as others do.
TEST(UringProbeTest, AFilterIsFoundByTryingAndNamedWithWhatToAllow) {
  for (int error : {EPERM, ENOSYS, EACCES}) {
    for (unsigned call : {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register}) {
      Ending ending = RunToEnd({.program = kProbe, .filter = Failing(call, error)});
      EXPECT_EQ(ending.exit_status, 1) << ending;
      EXPECT_THAT(ending.output, AllOf(HasSubstr("\nbackend           epoll\n"),
                                       HasSubstr("allow io_uring_setup, io_uring_enter and io_uring_register"),
                                       HasSubstr(" refused: "), HasSubstr("a filter looks at system calls"),
                                       HasSubstr("\n  recv       epoll, then call\n")));
    }
  }
  Ending ending = RunToEnd(
      {.program = kProbe, .arguments = {"--json"}, .filter = Failing(SYS_io_uring_setup, EPERM)});
  nlohmann::json json = nlohmann::json::parse(ending.output);
  EXPECT_EQ(json["calls"]["io_uring_setup"]["errno"], EPERM);
  EXPECT_EQ(json["calls"]["io_uring_setup"]["allowed"], false);
  EXPECT_EQ(json["features"]["nop"]["state"], "not tried");
}

TEST(UringProbeTest, WhereIoUringWasAskedForByNameNothingWorks) {
  Ending ending = RunToEnd(
      {.program = kProbe, .arguments = {"--backend=io_uring"}, .filter = Failing(SYS_io_uring_setup, EPERM)});
  EXPECT_EQ(ending.exit_status, 3) << ending;
  EXPECT_THAT(ending.output, HasSubstr("failure           io_uring_setup: Operation not permitted; "));
}

TEST(UringProbeTest, WhereEpollWasAskedForByNameNoCallOfIoUringIsMade) {
  const unsigned kCalls[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
  Ending ending = RunToEnd({.program = kProbe, .environment = {"PROACTOR_BACKEND=epoll"}, .filter = FatalOn(kCalls)});
  EXPECT_EQ(ending.exit_status, 0) << ending;
  EXPECT_THAT(ending.output, HasSubstr("calls             none was made"));
  EXPECT_EQ(RunToEnd({.program = kProbe, .filter = FatalOn(kCalls)}).signal, SIGSYS) << "the filter catches nobody";
}

// Rings count against the limit of their user since Linux 6.14, together with those of all other processes of the user,
// so that how much is enough for this one is not known beforehand.
TEST(UringProbeTest, WithLittleMemoryThatMayBeLockedSaysWhatToRaise) {
  constexpr int64_t kStep = 32 << 10;
  for (int64_t limit = 0;; limit += kStep) {
    Ending ending = RunToEnd({.program = kProbe, .locked_memory_limit = limit});
    EXPECT_THAT(ending.output, HasSubstr("memlock " + std::to_string(limit) + " bytes"));
    bool shrunk = ending.output.find("only so much memory may be locked") != std::string::npos;
    if (ending.exit_status == 0 && !shrunk) break;
    EXPECT_EQ(ending.exit_status, shrunk ? 0 : 1) << ending;
    EXPECT_THAT(ending.output, HasSubstr(shrunk ? "backend           io_uring" : "backend           epoll"));
    EXPECT_THAT(ending.output, HasSubstr("raise RLIMIT_MEMLOCK (ulimit -l"));
    ASSERT_LT(limit, 1000 * kStep) << ending;
  }
}

TEST(UringProbeTest, WhatIsDisabledIsSaidAndSoIsHowToEnableIt) {
  Ending ending = RunToEnd({.program = kProbe, .environment = {"PROACTOR_DISABLE=defer_taskrun,recv,fsync"}});
  EXPECT_EQ(ending.exit_status, 0) << ending;
  EXPECT_THAT(ending.output,
              AllOf(HasSubstr("\n  no  defer_taskrun       disabled by PROACTOR_DISABLE"),
                    HasSubstr("\n  recv       poll, then call\n"), HasSubstr("\n  send       poll, then ring\n"),
                    HasSubstr("\n  fsync      pool\n"),
                    HasSubstr("for defer_taskrun, recv, fsync: take them out of PROACTOR_DISABLE")));
  ending = RunToEnd({.program = kProbe, .environment = {"PROACTOR_DISABLE=ext_arg"}});
  EXPECT_EQ(ending.exit_status, 1) << ending;
  EXPECT_THAT(ending.output, HasSubstr("io_uring is not used without ext_arg, which is disabled; using epoll"));
}

TEST(UringProbeTest, EveryProfileWorks) {
  for (const char* profile :
       {"linux-5.10", "linux-5.15", "linux-5.19", "linux-6.0", "linux-6.1", "linux-6.6", "all"}) {
    Ending ending = RunToEnd({.program = kProbe, .environment = {std::string("PROACTOR_DISABLE=") + profile}});
    EXPECT_EQ(ending.exit_status, 0) << profile << ": " << ending;
    EXPECT_THAT(ending.output, AllOf(HasSubstr("backend           io_uring"), HasSubstr("\n  no  no_iowait")));
  }
}

TEST(UringProbeTest, RefusesWhatItDoesNotKnow) {
  std::string hint = "Try 'uring-probe --help' for more information.\n";
  for (const char* argument : {"--wrong", "operand", "--backend=kqueue", "--json=yes"}) {
    Ending ending = RunToEnd({.program = kProbe, .arguments = {argument}});
    EXPECT_EQ(ending.exit_status, 2) << argument;
    EXPECT_EQ(ending.output, "") << argument;
    EXPECT_THAT(ending.error, AllOf(StartsWith("uring-probe: "), HasSubstr(hint))) << argument;
  }
  Ending ending = RunToEnd({.program = kProbe, .environment = {"PROACTOR_DISABLE=defer"}});
  EXPECT_EQ(ending.exit_status, 2);
  EXPECT_THAT(ending.error, StartsWith("uring-probe: environment variable PROACTOR_DISABLE: there is no feature"));
  ending = RunToEnd({.program = kProbe, .environment = {"PROACTOR_BACKEND=kqueue"}});
  EXPECT_EQ(ending.exit_status, 2);
}

TEST(UringProbeTest, SaysHowItIsUsedAndWhenItCannotSpeak) {
  Ending help = RunToEnd({.program = kProbe, .arguments = {"--help"}});
  EXPECT_EQ(help.exit_status, 0);
  EXPECT_THAT(help.output, AllOf(StartsWith("Usage: uring-probe [--json]"), HasSubstr("Exit status: 0")));
  EXPECT_EQ(RunToEnd({.program = kProbe, .arguments = {"--version"}}).output, "uring-probe (proactor) 0.1.0\n");
  OwnedDescriptor full = Own(open("/dev/full", O_WRONLY | O_CLOEXEC));
  Ending mute = RunToEnd({.program = kProbe, .output = full->number});
  EXPECT_EQ(mute.exit_status, 3);
  EXPECT_THAT(mute.error, HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace proactor
