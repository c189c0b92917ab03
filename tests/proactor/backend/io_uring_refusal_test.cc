// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/io_uring_refusal.h"

#include <sys/syscall.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr SystemPolicy kFiltered = {.seccomp_filter = true};
constexpr char kCalls[] = "allow io_uring_setup, io_uring_enter and io_uring_register";

std::string Explain(int error, SystemPolicy policy = {}) {
  return ExplainRefusal(ErrnoToStatus(error, "io_uring_setup"), policy);
}

TEST(ExplainRefusalTest, ASysctlThatForbidsItIsNamedWithTheOneThatAllowsIt) {
  EXPECT_EQ(Explain(EPERM, {.io_uring_disabled = 2}),
            "io_uring_setup: Operation not permitted; "
            "kernel.io_uring_disabled=2 (sysctl kernel.io_uring_disabled=0 allows it)");
  EXPECT_THAT(Explain(EPERM, {.io_uring_disabled = 2, .seccomp_filter = true}), Not(HasSubstr("seccomp")));
}

TEST(ExplainRefusalTest, ASysctlThatAllowsItToSomeMayNotBeTheReason) {
  EXPECT_THAT(Explain(EPERM, {.io_uring_disabled = 1}),
              AllOf(HasSubstr("kernel.io_uring_disabled=1"), HasSubstr("kernel.io_uring_group"),
                    HasSubstr("sysctl kernel.io_uring_disabled=0"), Not(HasSubstr("seccomp"))));
  EXPECT_THAT(Explain(EPERM, {.io_uring_disabled = 1, .seccomp_filter = true}),
              AllOf(HasSubstr("kernel.io_uring_disabled=1"), HasSubstr("or a seccomp filter"), HasSubstr(kCalls)));
}

TEST(ExplainRefusalTest, AFilterIsNamedWithTheCallsToAllow) {
  EXPECT_THAT(Explain(EPERM, kFiltered),
              AllOf(StartsWith("io_uring_setup: Operation not permitted; a seccomp filter, such as Docker's"),
                    HasSubstr(kCalls)));
  EXPECT_THAT(Explain(ENOSYS, kFiltered),
              AllOf(HasSubstr("no io_uring"), HasSubstr("or a seccomp"), HasSubstr(kCalls)));
  EXPECT_THAT(Explain(EACCES, kFiltered), AllOf(HasSubstr("SELinux"), HasSubstr("or a seccomp"), HasSubstr(kCalls)));
}

TEST(ExplainRefusalTest, WithoutAFilterNobodyIsToldToChangeOne) {
  for (int error : {EPERM, EACCES, ENOSYS, EINVAL, ENOMEM, EMFILE, ENFILE, EIO}) {
    EXPECT_THAT(Explain(error), Not(HasSubstr("seccomp")));
  }
  EXPECT_THAT(Explain(EPERM), HasSubstr("a security module or a sandbox"));
  EXPECT_THAT(Explain(EACCES), HasSubstr("SELinux, AppArmor"));
  EXPECT_THAT(Explain(ENOSYS), HasSubstr("Linux 5.12 with CONFIG_IO_URING"));
}

TEST(ExplainRefusalTest, OtherFailuresHaveTheirOwnRemedies) {
  EXPECT_THAT(Explain(ENOMEM), HasSubstr("RLIMIT_MEMLOCK (ulimit -l)"));
  EXPECT_THAT(Explain(EINVAL), HasSubstr("Linux 5.12"));
  EXPECT_THAT(Explain(EMFILE), HasSubstr("ulimit -n"));
  EXPECT_THAT(Explain(ENFILE), HasSubstr("fs.file-max"));
}

TEST(ExplainRefusalTest, WhatCannotBeExplainedIsOnlySaid) {
  EXPECT_EQ(Explain(EIO), "io_uring_setup: Input/output error");
  EXPECT_EQ(ExplainRefusal(absl::UnimplementedError("the kernel's io_uring lacks features"), {}),
            "the kernel's io_uring lacks features");
}

TEST(SystemPolicyTest, KnowsTheFilterOfThisThread) {
  std::thread([] {
    SystemPolicy before = SystemPolicy::OfThisThread();
    ASSERT_TRUE(Install(Failing(SYS_io_uring_setup, EPERM)));
    EXPECT_TRUE(SystemPolicy::OfThisThread().seccomp_filter);
    EXPECT_EQ(SystemPolicy::OfThisThread().io_uring_disabled, before.io_uring_disabled);
  }).join();
}

TEST(SystemPolicyTest, KnowsTheSysctl) {
  int disabled = 0;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
  EXPECT_EQ(SystemPolicy::OfThisThread().io_uring_disabled, disabled);
}

}  // namespace
}  // namespace proactor
