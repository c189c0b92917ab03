// SPDX-License-Identifier: Apache-2.0
#include "proactor/proactor.h"

#include <thread>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/read.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

// What every proactor promises to the scheduler above it.
class ProactorTest : public OperationTest {
 protected:
  Proactor& proactor() { return scheduler().proactor(); }
};

TEST_P(ProactorTest, SaysWhoItIs) {
  switch (GetParam()) {
    case Backend::kIoUring:
      EXPECT_EQ(proactor().name(), "io_uring");
      // Unless sockets have to be non-blocking, because operations on them are masked.
      EXPECT_EQ(&proactor().system(), proactor().capabilities().RouteOf(Feature::kRecv) == "ring"
                                          ? &System::Real()
                                          : &System::NonBlocking());
      break;
    case Backend::kEpoll:
      EXPECT_EQ(proactor().name(), "epoll");
      EXPECT_EQ(&proactor().system(), &System::NonBlocking());
      break;
    case Backend::kSimulated:
      EXPECT_EQ(proactor().name(), "simulated");
      break;
    case Backend::kFakeIoUring:
      EXPECT_EQ(proactor().name(), "io_uring");
      EXPECT_NE(&proactor().system(), &System::Real());
      break;
    case Backend::kFakeEpoll:
      EXPECT_EQ(proactor().name(), "epoll");
      EXPECT_FALSE(proactor().system().may_block());
      break;
  }
}

TEST_P(ProactorTest, SaysHowOperationsGetToTheKernel) {
  Capabilities capabilities = proactor().capabilities();
  EXPECT_EQ(capabilities.backend, proactor().name());
  EXPECT_EQ(capabilities.reason, "");
  ASSERT_EQ(capabilities.features.size(), kFeatureCount);
  bool ring = proactor().name() == "io_uring";
  EXPECT_EQ(capabilities.Has(Feature::kNop), ring);
  EXPECT_EQ(capabilities.submission_entries > 0, ring);
}

TEST_P(ProactorTest, WithAPastDeadlineItDoesNotWait) {
  MonotonicTime before = proactor().Now();
  for (int i = 0; i < 10; ++i) proactor().Wait(MonotonicTime::Past());
  if (simulated()) {
    EXPECT_EQ(proactor().Now(), before);
  }
}

TEST_P(ProactorTest, WaitsUntilItsDeadlineAndNoLonger) {
  // It may return early; called again, it does not do so for ever.
  MonotonicTime until = proactor().Now() + absl::Milliseconds(5);
  while (proactor().Now() < until) proactor().Wait(until);
  if (simulated()) {
    EXPECT_EQ(proactor().Now(), until);
  }
}

// Invariant 7: no wake-up is lost, whether it comes before or during the wait. A lost one hangs this test.
TEST_P(ProactorTest, AWakeBeforeTheWaitEndsIt) {
  for (int i = 0; i < 10; ++i) {
    proactor().Wake();
    proactor().Wait(MonotonicTime::Infinite());
  }
}

TEST_P(ProactorTest, ManyWakesAreOne) {
  for (int i = 0; i < 1000; ++i) proactor().Wake();
  proactor().Wait(MonotonicTime::Infinite());
}

TEST_P(ProactorTest, SubmittingCompletesNothingAtOnce) {
  PipeEnds pipe = MakePipe(system());
  WriteNow(pipe.writer, "x");
  char buffer[1];
  auto body = [&]() -> Task<absl::Status> {
    absl::StatusOr<size_t> n = co_await MakeOperation(ReadOp{{.descriptor = pipe.reader.get(), .buffer = buffer}});
    EXPECT_THAT(n, IsOkAndHolds(1u));
    co_return absl::OkStatus();
  };
  scheduler().Spawn(body());
  while (counters().operations.value() == 0) {
    EXPECT_EQ(counters().completions.value(), 0);
    scheduler().Turn(MonotonicTime::Past());
  }
  while (counters().completions.value() == 0) scheduler().Turn(MonotonicTime::Past());
  scheduler().Shutdown();
  EXPECT_EQ(counters().operations.value(), 1);
  EXPECT_EQ(counters().completions.value(), 1);
}

// Errors are results too.
TEST_P(ProactorTest, ADescriptorThatIsNotOpenIsAResult) {
  OwnedDescriptor closed(system(), 12345, DescriptorKind::kOther);
  closed->closes = false;
  char buffer[1];
  EXPECT_THAT(Await(ReadOp{{.descriptor = closed.get(), .buffer = buffer}}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "read: Bad file descriptor"));
}

INSTANTIATE_ON_EVERY_BACKEND(ProactorTest);

TEST(RealProactorTest, AWakeFromAnotherThreadEndsAWait) {
  Bench bench(Backend::kIoUring);
  Proactor& proactor = bench.scheduler().proactor();
  std::thread waker([&] { proactor.Wake(); });
  proactor.Wait(MonotonicTime::Infinite());
  waker.join();
}

}  // namespace
}  // namespace proactor
