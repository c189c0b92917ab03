// SPDX-License-Identifier: Apache-2.0
#include "proactor/pause.h"

#include <sys/socket.h>

#include <string_view>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/descriptor.h"
#include "proactor/proactor.h"
#include "proactor/system.h"

namespace proactor {
namespace {

// Time that stands still until the test moves it. As a proactor it has nothing to do.
class StandingProactor final : public Proactor {
 public:
  void Submit(OperationBase&) override {}
  void Cancel(OperationBase&) override {}
  void Wait(MonotonicTime) override {}
  void Wake() override {}
  MonotonicTime Now() const override { return now; }
  absl::Time WallTime() const override { return absl::UnixEpoch(); }
  std::string_view name() const override { return "standing"; }
  System& system() override { return System::Real(); }

  MonotonicTime now;
};

struct Waiting final : Pause {
  void TryAgain() override { ++tries; }
  int tries = 0;
};

class PauseTest : public ::testing::Test {
 protected:
  void Pass(absl::Duration time) {
    proactor_.now = proactor_.now + time;
    loop_.timers.Advance(proactor_.now);
  }
  bool Begin(Pause& pause) {
    pause.Mark();
    return pause.Begin(loop_);
  }

  StandingProactor proactor_;
  Loop loop_{proactor_, proactor_, proactor_.counters(), {}, TimerWheel({}), {}};
};

TEST_F(PauseTest, EndsOnceWhenADescriptorIsClosed) {
  Waiting one, two;
  ASSERT_TRUE(Begin(one));
  ASSERT_TRUE(Begin(two));
  DescriptorClosed();
  DescriptorClosed();
  Pass(absl::Hours(1));
  EXPECT_EQ(one.tries, 1);
  EXPECT_EQ(two.tries, 1);
}

TEST_F(PauseTest, EndsOnceAfterAWhileThatGrowsToASecond) {
  Waiting waiting;
  for (int milliseconds : {10, 20, 40, 80, 160, 320, 640, 1000, 1000}) {
    waiting.tries = 0;
    ASSERT_TRUE(Begin(waiting));
    Pass(absl::Milliseconds(milliseconds) - absl::Nanoseconds(1));
    EXPECT_EQ(waiting.tries, 0) << milliseconds;
    Pass(absl::Nanoseconds(1));
    EXPECT_EQ(waiting.tries, 1) << milliseconds;
    DescriptorClosed();
    EXPECT_EQ(waiting.tries, 1) << milliseconds;
  }
}

// Otherwise one that is closed between the refusal and the pause would not be noticed.
TEST_F(PauseTest, DoesNotBeginWhenOneWasClosedSinceTheMark) {
  Waiting waiting;
  waiting.Mark();
  DescriptorClosed();
  EXPECT_FALSE(waiting.Begin(loop_));
  EXPECT_TRUE(loop_.timers.empty());
  EXPECT_TRUE(Begin(waiting));
}

TEST_F(PauseTest, EndedEarlyItTriesNoMore) {
  Waiting first, middle, last;
  for (Waiting* waiting : {&first, &middle, &last}) ASSERT_TRUE(Begin(*waiting));
  middle.End();
  middle.End();
  {
    Waiting gone;
    ASSERT_TRUE(Begin(gone));
  }
  DescriptorClosed();
  EXPECT_EQ(first.tries, 1);
  EXPECT_EQ(middle.tries, 0);
  EXPECT_EQ(last.tries, 1);
  EXPECT_TRUE(loop_.timers.empty());
}

TEST_F(PauseTest, AnOwnedDescriptorThatIsClosedEndsIt) {
  Waiting waiting;
  OwnedDescriptor kept(System::Real(), System::Real().Socket(AF_INET, SOCK_STREAM, 0), DescriptorKind::kSocket);
  OwnedDescriptor closed(System::Real(), System::Real().Socket(AF_INET, SOCK_STREAM, 0), DescriptorKind::kSocket);
  ASSERT_TRUE(Begin(waiting));
  int number = kept.Release();
  EXPECT_EQ(waiting.tries, 0) << "given away, not closed";
  closed = OwnedDescriptor();
  EXPECT_EQ(waiting.tries, 1);
  System::Real().Close(number);
}

}  // namespace
}  // namespace proactor
