// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/kernel_proactor.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

// Nothing but the common part. On the heap: under AddressSanitizer GCC 12 does not align locals to cache lines.
class Common final : public KernelProactor {
 public:
  Common() : KernelProactor(Machine::Real(), OpenWakeDescriptor(Machine::Real()).value()) {}
  using KernelProactor::CheckNothingInFlight;
  using KernelProactor::TakeWakes;
  using KernelProactor::wake_fd;

  void Submit(OperationBase&) override {}
  void Cancel(OperationBase&) override {}
  void Wait(MonotonicTime) override {}
  std::string_view name() const override { return "common"; }
  System& system() override { return System::Real(); }
};

bool Readable(int descriptor) {
  pollfd asked = {descriptor, POLLIN, 0};
  return poll(&asked, 1, 0) == 1;
}

TEST(KernelProactorDeathTest, EndingWithAnOperationInFlightEndsTheProcess) {
  auto end = [] {
    auto common = std::make_unique<Common>();
    for (int i = 0; i < 3; ++i) common->counters().operations.Add();
    common->counters().completions.Add();
    common->CheckNothingInFlight();
  };
  EXPECT_DEATH(end(), "A proactor ends while operations are in flight .2., and the kernel may still use their memory");
}

TEST(KernelProactorTest, AWakeLastsUntilItIsTaken) {
  auto common = std::make_unique<Common>();
  Common& proactor = *common;
  EXPECT_FALSE(Readable(proactor.wake_fd()));
  for (int i = 0; i < 1000; ++i) proactor.Wake();
  EXPECT_TRUE(Readable(proactor.wake_fd()));
  proactor.TakeWakes();
  EXPECT_FALSE(Readable(proactor.wake_fd()));
  proactor.TakeWakes();  // Does not wait for one.
  proactor.Wake();
  EXPECT_TRUE(Readable(proactor.wake_fd()));
}

TEST(KernelProactorTest, ItsDescriptorIsNotInheritedAndEndsWithIt) {
  int descriptor;
  {
    auto proactor = std::make_unique<Common>();
    descriptor = proactor->wake_fd();
    EXPECT_EQ(fcntl(descriptor, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(fcntl(descriptor, F_GETFD), -1);
}

TEST(KernelProactorTest, ItsClocksAreTheKernels) {
  auto common = std::make_unique<Common>();
  Common& proactor = *common;
  timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  MonotonicTime now = proactor.Now();
  clock_gettime(CLOCK_MONOTONIC, &after);
  EXPECT_LE(before.tv_sec * 1'000'000'000 + before.tv_nsec, now.nanoseconds);
  EXPECT_GE(after.tv_sec * 1'000'000'000 + after.tv_nsec, now.nanoseconds);
  EXPECT_LT(absl::AbsDuration(absl::Now() - proactor.WallTime()), absl::Minutes(1));
}

}  // namespace
}  // namespace proactor
