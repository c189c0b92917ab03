// SPDX-License-Identifier: Apache-2.0
#include "proactor/signal_set.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/sleep.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;

class SignalSetTest : public BackendTest {
 protected:
  void Raise(int number) {
    if (simulated()) {
      static_cast<SimulatedSystem&>(system()).Raise(number);
    } else {
      EXPECT_EQ(kill(getpid(), number), 0);
    }
  }

  bool IsBlocked(int number) {
    sigset_t nothing, blocked;
    sigemptyset(&nothing);
    EXPECT_EQ(system().SetSignalMask(SIG_BLOCK, nothing, &blocked), 0);
    return sigismember(&blocked, number) == 1;
  }
};

TEST_P(SignalSetTest, DeliversASignalThatCameBeforeTheWait) {
  auto body = [&]() -> Task<absl::Status> {
    SignalSet signals = co_await Try(SignalSet::Block(SIGUSR1, SIGUSR2));
    Raise(SIGUSR2);
    Signal signal = co_await Try(signals.Wait());
    EXPECT_EQ(signal.number, SIGUSR2);
    EXPECT_THAT(signal.process, Gt(0));
    if (!simulated()) {
      EXPECT_EQ(signal.process, getpid());
      EXPECT_EQ(signal.user, getuid());
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SignalSetTest, WaitsForASignalThatComesLater) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    SignalSet signals = co_await Try(SignalSet::Block(SIGUSR1));
    auto raise = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(2)));
      Raise(SIGUSR1);
      co_return absl::OkStatus();
    };
    group.Spawn(raise());
    Signal signal = co_await Try(signals.Wait());
    EXPECT_EQ(signal.number, SIGUSR1);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(SignalSetTest, SignalsThatComeTogetherAreAllDelivered) {
  auto body = [&]() -> Task<absl::StatusOr<std::vector<int>>> {
    SignalSet signals = co_await Try(SignalSet::Block(SIGUSR1, SIGUSR2, SIGTERM, SIGRTMIN));
    for (int number : {SIGRTMIN, SIGTERM, SIGUSR2, SIGUSR1, SIGTERM, SIGRTMIN}) Raise(number);
    std::vector<int> numbers;
    for (int i = 0; i < 5; ++i) numbers.push_back((co_await Try(signals.Wait())).number);
    // Of the first SIGTERM and the second, one is left: it is no real-time signal.
    absl::StatusOr<Signal> more = co_await WithTimeout(absl::Milliseconds(1), signals.Wait());
    EXPECT_THAT(more.status(), StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_return numbers;
  };
  EXPECT_THAT(Run(body()), IsOkAndHolds(ElementsAre(SIGUSR1, SIGUSR2, SIGTERM, SIGRTMIN, SIGRTMIN)));
}

TEST_P(SignalSetTest, ACancelledWaitLosesNoSignal) {
  auto body = [&]() -> Task<absl::Status> {
    SignalSet signals = co_await Try(SignalSet::Block(SIGUSR1));
    for (int i = 0; i < 20; ++i) {
      int taken = 0;
      auto wait_and_raise = [&](TaskGroup& group) -> Task<absl::Status> {
        auto wait = [&]() -> Task<absl::Status> {
          Signal signal = co_await Try(signals.Wait());
          EXPECT_EQ(signal.number, SIGUSR1);
          ++taken;
          co_return absl::OkStatus();
        };
        group.Spawn(wait());
        co_await Try(Sleep(absl::ZeroDuration()));
        Raise(SIGUSR1);
        group.Cancel();
        co_await group.Join();
        co_return absl::OkStatus();
      };
      co_await Try(WithTaskGroup(wait_and_raise));
      if (taken == 0) co_await Try(signals.Wait());
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SignalSetTest, BlocksAsLongAsItLives) {
  sigset_t before;
  sigemptyset(&before);
  sigaddset(&before, SIGUSR2);
  ASSERT_EQ(system().SetSignalMask(SIG_BLOCK, before, nullptr), 0);
  auto body = [&]() -> Task<absl::Status> {
    SignalSet signals = co_await Try(SignalSet::Block(SIGUSR1, SIGUSR2));
    EXPECT_TRUE(IsBlocked(SIGUSR1));
    SignalSet moved = std::move(signals);
    EXPECT_FALSE(signals);
    EXPECT_TRUE(IsBlocked(SIGUSR1));
    signals = co_await Try(SignalSet::Block(SIGTERM));
    moved = SignalSet();
    EXPECT_FALSE(IsBlocked(SIGUSR1));
    EXPECT_TRUE(IsBlocked(SIGTERM));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_FALSE(IsBlocked(SIGTERM));
  // As it was before.
  EXPECT_TRUE(IsBlocked(SIGUSR2));
  system().SetSignalMask(SIG_UNBLOCK, before, nullptr);
}

TEST_P(SignalSetTest, RefusesWhatCannotBeBlocked) {
  auto body = [&](int number) -> Task<absl::Status> {
    absl::StatusOr<SignalSet> signals = co_await SignalSet::Block(SIGUSR1, number);
    co_return signals.status();
  };
  for (int number : {0, -1, 1000, SIGKILL, SIGSTOP}) {
    EXPECT_THAT(Run(body(number)), StatusIs(absl::StatusCode::kInvalidArgument)) << number;
  }
  EXPECT_FALSE(IsBlocked(SIGUSR1));
}

INSTANTIATE_ON_EVERY_BACKEND(SignalSetTest);

class SignalSetKernelTest : public SignalSetTest {};
INSTANTIATE_ON_REAL_BACKENDS(SignalSetKernelTest);

// What a program does on SIGUSR1 is still what it was told to do.
TEST_P(SignalSetKernelTest, ChangesNoDispositionAndClosesOnExec) {
  static volatile sig_atomic_t handled;
  handled = 0;
  struct sigaction counts = {}, before;
  counts.sa_handler = [](int) { handled = handled + 1; };
  sigaction(SIGUSR1, &counts, &before);
  auto body = [&]() -> Task<absl::Status> {
    // The lowest number that is free is the signalfd's.
    int number = dup(STDIN_FILENO);
    close(number);
    SignalSet signals = co_await Try(SignalSet::Block(SIGUSR1));
    EXPECT_EQ(fcntl(number, F_GETFD), FD_CLOEXEC);
    kill(getpid(), SIGUSR1);
    co_await Try(signals.Wait());
    EXPECT_EQ(handled, 0);
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(handled, 0);
    // Not taken: handled when the set is gone.
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(handled, 1);
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(handled, 2);
  sigaction(SIGUSR1, &before, nullptr);
}

Task<absl::Status> RaiseWithoutASet(SimulatedWorld& world) {
  {
    SignalSet signals = co_await Try(SignalSet::Block(SIGTERM));
    world.Raise(SIGTERM);
    co_await Try(signals.Wait());
  }
  world.Raise(SIGTERM);
  co_return absl::OkStatus();
}

TEST(SignalSetDeathTest, ASignalThatNobodyBlocksEndsTheSimulatedProcess) {
  auto program = [] {
    SimulatedWorld world;
    EXPECT_THAT(world.Run(RaiseWithoutASet(world)), IsOk());
  };
  EXPECT_DEATH(program(), "The simulated process ends here: a signal came that nobody has blocked, SIGTERM\\.");
}

}  // namespace
}  // namespace proactor
