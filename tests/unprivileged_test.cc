// SPDX-License-Identifier: Apache-2.0
//
// A service that may do little, on the backend that the library chooses for it: as a user without rights, with 64 KiB
// of memory that may be locked, in a child of a process that uses the library itself.
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend_choice.h"
#include "proactor/capabilities.h"
#include "proactor/fs/file.h"
#include "proactor/proactor.h"
#include "proactor/run.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/net/connection.h"

namespace proactor {
namespace {

constexpr size_t kSize = 300'000;

// Files, sockets, timers and the pool.
Task<absl::Status> UseEverything(std::string path) {
  File file = co_await Try(File::Open(path, {.write = true, .create = true, .exclusive = true}));
  unlink(path.c_str());
  std::string text = Pattern(kSize);
  co_await Try(file.WriteAll(text));
  co_await Try(file.Sync());
  std::string back(kSize, '\0');
  size_t n = co_await Try(file.ReadAt(0, back));
  if (std::string_view(back).substr(0, n) != std::string_view(text).substr(0, n)) {
    co_return absl::DataLossError("the file has other bytes");
  }
  Connection connection = co_await Try(Connect());
  co_await Try(connection.client.WriteAll("there and back"));
  char buffer[80];
  n = co_await Try(connection.server.Read(buffer));
  co_await Try(Sleep(absl::Milliseconds(1)));
  absl::StatusOr<size_t> late = co_await WithTimeout(absl::Milliseconds(1), connection.server.Read(buffer));
  if (!absl::IsDeadlineExceeded(late.status())) co_return absl::InternalError("a read did not time out");
  co_return n > 0 ? absl::OkStatus() : absl::DataLossError("the socket has no bytes");
}

// A user whom no other process has, because locked memory is counted for a user, and that of a ring until some time
// after its process has ended.
bool BecomeNobody() {
  const auto nobody = static_cast<unsigned>(100'000 + getpid());
  rlimit locked = {64 << 10, 64 << 10};
  if (setrlimit(RLIMIT_MEMLOCK, &locked) != 0) return false;
  if (geteuid() != 0) return true;  // Has no rights to begin with.
  return setgroups(0, nullptr) == 0 && setresgid(nobody, nobody, nobody) == 0 &&
         setresuid(nobody, nobody, nobody) == 0;
}

class UnprivilegedTest : public ::testing::TestWithParam<BackendChoice> {
 protected:
  UnprivilegedTest() {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    EXPECT_EQ(chmod(directory_.c_str(), 0777), 0);
  }
  ~UnprivilegedTest() override { rmdir(directory_.c_str()); }

  std::string Path() const { return directory_ + "/file"; }

  // Uses everything in a child, after `before` has succeeded there. What the child says is on standard error.
  void UseEverythingInAChild(absl::FunctionRef<bool()> before) {
    pid_t child = fork();
    if (child == 0) {
      if (!before()) _exit(2);
      absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor({.backend = GetParam()});
      if (!proactor.ok()) {
        std::fprintf(stderr, "%s\n", proactor.status().ToString().c_str());
        _exit(3);
      }
      Scheduler scheduler(*std::move(proactor));
      std::fprintf(stderr, "%s\n", scheduler.proactor().capabilities().ToString().c_str());
      absl::Status status = scheduler.Run(UseEverything(Path()));
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
      _exit(status.ok() ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }

 private:
  std::string directory_ = "/tmp/unprivileged.XXXXXX";
};

TEST_P(UnprivilegedTest, NobodyWithLittleLockedMemoryIsServed) { UseEverythingInAChild(&BecomeNobody); }

TEST_P(UnprivilegedTest, AChildOfAProcessThatUsesTheLibraryMayUseItToo) {
  absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor({.backend = GetParam()});
  ASSERT_THAT(proactor, IsOk());
  Scheduler scheduler(*std::move(proactor));
  EXPECT_THAT(scheduler.Run(UseEverything(Path())), IsOk());
  UseEverythingInAChild([] { return true; });
  UseEverythingInAChild(&BecomeNobody);
  EXPECT_THAT(scheduler.Run(UseEverything(Path())), IsOk()) << "the parent goes on with its own";
}

INSTANTIATE_TEST_SUITE_P(Every, UnprivilegedTest,
                         ::testing::Values(BackendChoice::kAuto, BackendChoice::kIoUring, BackendChoice::kEpoll),
                         [](const ::testing::TestParamInfo<BackendChoice>& info) {
                           if (info.param == BackendChoice::kAuto) return "Automatic";
                           return info.param == BackendChoice::kIoUring ? "IoUring" : "Epoll";
                         });

}  // namespace
}  // namespace proactor
