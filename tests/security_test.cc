// SPDX-License-Identifier: Apache-2.0
//
// What proactor/README.md says about security, as it is on this system.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend_choice.h"
#include "proactor/fs/file.h"
#include "proactor/proactor.h"
#include "proactor/run.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::ExitedWithCode;

// Opens a file that is there, and reads from it.
Task<absl::StatusOr<size_t>> OpenAndRead() {
  File file = co_await Try(File::Open("/proc/self/stat"));
  char buffer[1];
  co_return co_await file.Read(buffer);
}

// Runs in a process of its own, because a filter stays; by _exit(2), for which a sanitizer opens nothing.
[[noreturn]] void OpenUnderAFilter(BackendChoice backend, absl::StatusCode expected) {
  if (!Install(Failing(SYS_openat, EACCES))) _exit(2);
  if (open("/proc/self/stat", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) _exit(3);
  absl::StatusOr<size_t> n = Run(OpenAndRead(), {.backend = backend});
  std::fputs(n.status().ToString().c_str(), stderr);
  _exit(n.status().code() == expected ? 0 : 1);
}

TEST(SecurityDeathTest, AFilterOfSystemCallsDoesNotSeeWhatTheRingDoes) {
  EXPECT_EXIT(OpenUnderAFilter(BackendChoice::kIoUring, absl::StatusCode::kOk), ExitedWithCode(0), "OK");
}

TEST(SecurityDeathTest, EpollObeysAFilterOfSystemCalls) {
  EXPECT_EXIT(OpenUnderAFilter(BackendChoice::kEpoll, absl::StatusCode::kPermissionDenied), ExitedWithCode(0),
              "open .*: Permission denied");
}

void DropPrivilegesTooLate() {
  absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor({.backend = BackendChoice::kIoUring});
  if (!proactor.ok() || setresuid(65534, 65534, 65534) != 0) _exit(2);
  absl::StatusOr<size_t> n = Scheduler(*std::move(proactor)).Run(OpenAndRead());
  _exit(0);
}

TEST(SecurityDeathTest, PrivilegesThatAreDroppedAfterTheRingWasMadeAreFatal) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has privileges to drop";
  EXPECT_EXIT(DropPrivilegesTooLate(), ::testing::KilledBySignal(SIGABRT), "privileges have changed since it was set");
}

TEST(SecurityTest, ARestrictedRingServesFilesAndSockets) {
  auto exchange = []() -> Task<absl::StatusOr<std::string>> {
    co_await Try(OpenAndRead());
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("there"));
    co_await Try(connection.client.Close());
    co_return co_await ReadToEnd(connection.server);
  };
  for (BackendChoice backend : {BackendChoice::kIoUring, BackendChoice::kEpoll}) {
    EXPECT_THAT(proactor::Run(exchange(), {.backend = backend, .restricted = true}), IsOkAndHolds("there"));
  }
}

}  // namespace
}  // namespace proactor
