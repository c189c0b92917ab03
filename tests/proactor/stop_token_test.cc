// SPDX-License-Identifier: Apache-2.0
#include "proactor/stop_token.h"

#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class WithStopTokenTest : public BackendTest {};

TEST_P(WithStopTokenTest, WithoutARequestTheResultPassesThrough) {
  std::stop_source source;
  auto answer = []() -> Task<absl::StatusOr<int>> {
    co_await Try(Sleep(absl::Microseconds(1)));
    co_return 42;
  };
  EXPECT_THAT(Run(WithStopToken(source.get_token(), answer())), IsOkAndHolds(42));
  EXPECT_THAT(Run(WithStopToken(std::stop_token(), answer())), IsOkAndHolds(42));
  source.request_stop();  // After it.
}

TEST_P(WithStopTokenTest, ARequestBeforeKeepsItFromBeginning) {
  std::stop_source source;
  source.request_stop();
  EXPECT_THAT(Run(WithStopToken(source.get_token(), Sleep(absl::ZeroDuration()))),
              StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (stop requested)"));
}

TEST_P(WithStopTokenTest, ARequestFromInsideIsOneFromOutside) {
  std::stop_source source;
  auto body = [&]() -> Task<absl::Status> {
    source.request_stop();
    co_return co_await Sleep(absl::Hours(1));
  };
  EXPECT_THAT(Run(WithStopToken(source.get_token(), body())), StatusIs(absl::StatusCode::kCancelled));
}

TEST_P(WithStopTokenTest, ATimeoutAroundIsToldApart) {
  std::stop_source source;
  absl::Status inner;
  auto body = [&]() -> Task<absl::Status> {
    inner = co_await WithStopToken(source.get_token(), Sleep(absl::Hours(1)));
    co_return inner;
  };
  EXPECT_THAT(Run(WithTimeout(absl::Milliseconds(1), body())), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(inner, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (its time is over)"));
}

INSTANTIATE_ON_EVERY_BACKEND(WithStopTokenTest);

// Threads: with a kernel only, because a simulation does not wait for threads.
class WithStopTokenThreadsTest : public BackendTest {};

TEST_P(WithStopTokenThreadsTest, ARequestOnAnotherThreadCancels) {
  for (int round = 0; round < 200; ++round) {
    std::stop_source source;
    std::thread other([&] { source.request_stop(); });
    absl::Status status = Run(WithStopToken(source.get_token(), Sleep(absl::InfiniteDuration())));
    other.join();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (stop requested)"));
  }
}

// The request meets the end of what it is to cancel.
TEST_P(WithStopTokenThreadsTest, ARequestAtTheEndDoesNoHarm) {
  for (int round = 0; round < 200; ++round) {
    std::stop_source source;
    std::thread other([&] { source.request_stop(); });
    absl::Status status = Run(WithStopToken(source.get_token(), Sleep(absl::ZeroDuration())));
    other.join();
    EXPECT_TRUE(status.ok() || absl::IsCancelled(status)) << status;
  }
}

INSTANTIATE_ON_REAL_BACKENDS(WithStopTokenThreadsTest);

}  // namespace
}  // namespace proactor
