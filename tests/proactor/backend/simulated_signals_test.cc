// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_signals.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <cerrno>
#include <initializer_list>

namespace proactor {
namespace {

sigset_t SetOf(std::initializer_list<int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (int number : numbers) sigaddset(&set, number);
  return set;
}

class SimulatedSignalsTest : public ::testing::Test {
 protected:
  SimulatedSignalsTest() { signals_.SetMask(SIG_BLOCK, set_, nullptr); }

  // The number of the next one, or -errno.
  int Read(SimulatedSignalDescriptor& descriptor) {
    signalfd_siginfo signal;
    int result = descriptor.Read(reinterpret_cast<char*>(&signal), sizeof(signal), -1);
    return result < 0 ? result : static_cast<int>(signal.ssi_signo);
  }

  sigset_t set_ = SetOf({SIGINT, SIGTERM, SIGRTMIN});
  SimulatedSignals signals_;
  SimulatedSignalDescriptor descriptor_{signals_, set_};
};

TEST_F(SimulatedSignalsTest, AreTakenOnceInTheOrderOfTheirNumbers) {
  signals_.Raise(SIGTERM);
  signals_.Raise(SIGINT);
  EXPECT_EQ(Read(descriptor_), SIGINT);
  EXPECT_EQ(Read(descriptor_), SIGTERM);
  EXPECT_EQ(Read(descriptor_), -EAGAIN);
}

TEST_F(SimulatedSignalsTest, OnlyRealTimeSignalsAreCounted) {
  for (int i = 0; i < 3; ++i) {
    signals_.Raise(SIGINT);
    signals_.Raise(SIGRTMIN);
  }
  EXPECT_EQ(Read(descriptor_), SIGINT);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Read(descriptor_), SIGRTMIN);
  EXPECT_EQ(Read(descriptor_), -EAGAIN);
}

TEST_F(SimulatedSignalsTest, ADescriptorIsReadableWhileOneOfItsSetWaits) {
  EXPECT_EQ(descriptor_.Poll()->events, 0u);
  uint64_t wakes = descriptor_.Poll()->wakes;
  SimulatedSignalDescriptor other(signals_, SetOf({SIGINT}));
  signals_.Raise(SIGTERM);
  EXPECT_EQ(descriptor_.Poll()->events, POLLIN);
  EXPECT_GT(descriptor_.Poll()->wakes, wakes);
  EXPECT_EQ(other.Poll()->events, 0u);
  EXPECT_EQ(Read(descriptor_), SIGTERM);
  EXPECT_EQ(descriptor_.Poll()->events, 0u);
}

TEST_F(SimulatedSignalsTest, ADescriptorTakesThoseOfItsSet) {
  SimulatedSignalDescriptor other(signals_, SetOf({SIGINT}));
  signals_.Raise(SIGTERM);
  EXPECT_EQ(Read(other), -EAGAIN);
  EXPECT_EQ(Read(descriptor_), SIGTERM);
}

TEST_F(SimulatedSignalsTest, AReadBringsAsManyAsThereIsRoomFor) {
  signals_.Raise(SIGINT);
  signals_.Raise(SIGTERM);
  signalfd_siginfo signals[3];
  char* buffer = reinterpret_cast<char*>(signals);
  EXPECT_EQ(descriptor_.Read(buffer, sizeof(signals[0]) - 1, -1), -EINVAL);
  EXPECT_EQ(descriptor_.Read(buffer, sizeof(signals[0]), 0), -ESPIPE);
  EXPECT_EQ(descriptor_.Read(buffer, sizeof(signals) - 1, -1), static_cast<int>(2 * sizeof(signals[0])));
  EXPECT_EQ(signals[0].ssi_signo, static_cast<uint32_t>(SIGINT));
  EXPECT_EQ(signals[1].ssi_signo, static_cast<uint32_t>(SIGTERM));
}

TEST_F(SimulatedSignalsTest, IsNoFile) {
  EXPECT_EQ(descriptor_.Write("x", 1, -1), -EINVAL);
  struct statx facts = {};
  descriptor_.Stat(facts);
  EXPECT_EQ(facts.stx_mode & S_IFMT, 0);
}

TEST_F(SimulatedSignalsTest, TheMaskIsThatOfLinux) {
  sigset_t before;
  EXPECT_EQ(signals_.SetMask(SIG_UNBLOCK, SetOf({SIGINT}), &before), 0);
  EXPECT_EQ(sigismember(&before, SIGINT), 1);
  EXPECT_EQ(signals_.SetMask(SIG_SETMASK, SetOf({SIGHUP}), &before), 0);
  EXPECT_EQ(sigismember(&before, SIGINT), 0);
  EXPECT_EQ(sigismember(&before, SIGTERM), 1);
  EXPECT_EQ(signals_.SetMask(SIG_BLOCK, SetOf({}), &before), 0);
  EXPECT_EQ(sigismember(&before, SIGTERM), 0);
  EXPECT_EQ(sigismember(&before, SIGHUP), 1);
  EXPECT_EQ(signals_.SetMask(1000, SetOf({}), nullptr), -EINVAL);
}

TEST_F(SimulatedSignalsTest, ThoseThatEndNoProcessAreIgnored) {
  for (int number : {SIGCHLD, SIGCONT, SIGURG, SIGWINCH}) signals_.Raise(number);
  EXPECT_EQ(Read(descriptor_), -EAGAIN);
}

using SimulatedSignalsDeathTest = SimulatedSignalsTest;

TEST_F(SimulatedSignalsDeathTest, OneThatIsNotBlockedEndsTheProcess) {
  EXPECT_DEATH(signals_.Raise(SIGHUP), "SIGHUP");
  EXPECT_DEATH(signals_.Raise(SIGRTMIN + 1), "number 35");
}

TEST_F(SimulatedSignalsDeathTest, OneThatWaitedEndsTheProcessWhenItIsNoLongerBlocked) {
  signals_.Raise(SIGINT);
  EXPECT_EQ(signals_.SetMask(SIG_UNBLOCK, SetOf({SIGTERM}), nullptr), 0);
  EXPECT_DEATH(signals_.SetMask(SIG_UNBLOCK, set_, nullptr), "SIGINT");
}

}  // namespace
}  // namespace proactor
