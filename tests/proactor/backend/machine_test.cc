// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/machine.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace proactor {
namespace {

bool Readable(int descriptor) {
  pollfd asked = {descriptor, POLLIN, 0};
  return poll(&asked, 1, 0) == 1;
}

TEST(MachineTest, AnEventIsReadableUntilItIsTaken) {
  Machine& machine = Machine::Real();
  int event = machine.OpenEvent();
  ASSERT_GE(event, 0);
  EXPECT_EQ(fcntl(event, F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(Readable(event));
  for (int i = 0; i < 1000; ++i) machine.AddEvent(event);
  EXPECT_TRUE(Readable(event));
  machine.TakeEvents(event);
  EXPECT_FALSE(Readable(event));
  machine.TakeEvents(event);  // Does not wait for one.
  machine.CloseEvent(event);
  EXPECT_EQ(fcntl(event, F_GETFD), -1);
}

TEST(MachineTest, APairIsConnected) {
  Machine& machine = Machine::Real();
  int ends[2];
  ASSERT_TRUE(machine.OpenPair(ends));
  EXPECT_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(machine.system().Send(ends[0], "x", 1), 1);
  EXPECT_TRUE(Readable(ends[1]));
  for (int end : ends) machine.system().Close(end);
}

TEST(MachineTest, TheRealOneHasTheKernelsClocksAndCalls) {
  Machine& machine = Machine::Real();
  timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  MonotonicTime now = machine.Now();
  clock_gettime(CLOCK_MONOTONIC, &after);
  EXPECT_LE(before.tv_sec * 1'000'000'000 + before.tv_nsec, now.nanoseconds);
  EXPECT_GE(after.tv_sec * 1'000'000'000 + after.tv_nsec, now.nanoseconds);
  EXPECT_LT(absl::AbsDuration(absl::Now() - machine.WallTime()), absl::Minutes(1));
  EXPECT_EQ(&machine.system(), &System::Real());
  EXPECT_EQ(&machine.blocking_jobs(), &BlockingPool::Shared());
  EXPECT_EQ(machine.seed(), 1u);
}

TEST(MachineTest, APauseIsAsLongAsItIsSaid) {
  Machine& machine = Machine::Real();
  MonotonicTime until = machine.Now() + absl::Milliseconds(2);
  machine.Pause(absl::Milliseconds(2));
  EXPECT_GE(machine.Now(), until);
}

}  // namespace
}  // namespace proactor
