// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/credentials.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"

namespace proactor {
namespace {

TEST(CredentialsTest, AreThoseOfTheProcess) {
  Credentials these = Credentials::OfThisThread();
  EXPECT_EQ(these.user[0], getuid());
  EXPECT_EQ(these.user[1], geteuid());
  EXPECT_EQ(these.user[3], geteuid());
  EXPECT_EQ(these.group[0], getgid());
  EXPECT_EQ(these.group[1], getegid());
  EXPECT_TRUE(these == Credentials::OfThisThread()) << "asking changes nothing";
}

// In a process of its own, which has what it gives up for good.
bool Differ(absl::FunctionRef<bool()> drop) {
  Credentials before = Credentials::OfThisThread();
  return drop() && !(Credentials::OfThisThread() == before);
}

TEST(CredentialsDeathTest, EachWayToDropPrivilegesIsSeen) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has privileges to drop";
  auto user = [] { return setresuid(-1, 65534, -1) == 0; };
  auto saved_user = [] { return setresuid(-1, -1, 65534) == 0; };
  auto group = [] { return setresgid(-1, 65534, -1) == 0; };
  auto capabilities = [] {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
    return syscall(SYS_capset, &header, none) == 0;
  };
  EXPECT_EXIT(_exit(Differ(user) ? 0 : 1), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(_exit(Differ(saved_user) ? 0 : 1), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(_exit(Differ(group) ? 0 : 1), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(_exit(Differ(capabilities) ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace proactor
