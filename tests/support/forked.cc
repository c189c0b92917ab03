// SPDX-License-Identifier: Apache-2.0
//
// With $PROACTOR_TEST_FORKED, all tests of a program run in a child of a process that uses the library itself, with a
// scheduler on each backend and threads in the pool. Nothing calls this: it is there for who links it.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/backend_choice.h"
#include "proactor/proactor.h"
#include "proactor/run.h"
#include "proactor/run_blocking.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace proactor {
namespace {

Task<absl::Status> UseIt() {
  co_await Try(Sleep(absl::Milliseconds(1)));
  co_return co_await RunBlocking([] { return absl::OkStatus(); });
}

class Forked : public ::testing::Environment {
 public:
  void SetUp() override {
    // They outlive the tests, and are never looked at in the child, as in a service that forks.
    auto& schedulers = *new std::vector<std::unique_ptr<Scheduler>>();
    for (BackendChoice backend : {BackendChoice::kAuto, BackendChoice::kEpoll}) {
      absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor({.backend = backend});
      ASSERT_TRUE(proactor.ok()) << proactor.status();
      schedulers.push_back(std::make_unique<Scheduler>(*std::move(proactor)));
      absl::Status status = schedulers.back()->Run(UseIt());
      ASSERT_TRUE(status.ok()) << status;
    }
    std::fflush(nullptr);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) return;
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) std::fprintf(stderr, "The child was ended by signal %d.\n", WTERMSIG(status));
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
};

[[maybe_unused]] const ::testing::Environment* const forked =
    getenv("PROACTOR_TEST_FORKED") != nullptr ? ::testing::AddGlobalTestEnvironment(new Forked) : nullptr;

}  // namespace
}  // namespace proactor
