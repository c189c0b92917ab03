// SPDX-License-Identifier: Apache-2.0
#include "tests/support/interleavings.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/model_atomic.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Memory {
  ModelAtomic<int> word{0};
  ModelAtomic<int> other{0};
  ModelEvent event;
  int plain = 0;
  Stamp stamp;
};

// One function for each participant, on a fresh Memory.
class Functions final : public ConcurrentProgram {
 public:
  using Function = std::function<void(Memory&)>;

  explicit Functions(std::vector<Function> functions) : functions_(std::move(functions)) {}

  int participants() const override { return static_cast<int>(functions_.size()); }
  void Reset() override { memory_.emplace(); }
  void Run(int participant) override { functions_[participant](*memory_); }
  void AppendState(std::vector<uint64_t>& state) const override { state.push_back(memory_->plain); }
  void AtEnd(bool all_ended) override {
    if (!all_ended) FailInterleaving("Stuck.");
    if (at_end) at_end(*memory_);
  }

  std::function<void(const Memory&)> at_end;

 private:
  std::vector<Function> functions_;
  std::optional<Memory> memory_;
};

TEST(InterleavingsTest, OneParticipantHasOneOrder) {
  Functions program({[](Memory& memory) {
    memory.word.store(1);
    memory.word.store(2);
  }});
  EXPECT_EQ(ExploreInterleavings(program).interleavings, 1u);
}

// Binomial coefficients: the ways to choose which of all the steps are the first participant's.
TEST(InterleavingsTest, CountsEveryOrderOfTwoParticipants) {
  auto steps = [](int count) {
    return [count](Memory& memory) {
      for (int i = 0; i < count; ++i) memory.word.load();
    };
  };
  Functions one_and_one({steps(1), steps(1)});
  EXPECT_EQ(ExploreInterleavings(one_and_one).interleavings, 2u);
  Functions three_and_three({steps(3), steps(3)});
  EXPECT_EQ(ExploreInterleavings(three_and_three).interleavings, 20u);
  Functions five_and_five({steps(5), steps(5)});
  EXPECT_EQ(ExploreInterleavings(five_and_five).interleavings, 252u);
  Functions two_of_each({steps(2), steps(2), steps(2)});
  EXPECT_EQ(ExploreInterleavings(two_of_each).interleavings, 90u);
}

TEST(InterleavingsTest, FindsTheLostUpdate) {
  auto increment = [](Memory& memory) { memory.word.store(memory.word.load() + 1); };
  Functions program({increment, increment});
  program.at_end = [](const Memory& memory) {
    if (memory.word.StateValue() != 2) FailInterleaving("Lost update.");
  };
  Exploration exploration = ExploreInterleavings(program);
  EXPECT_THAT(exploration.failure, AllOf(StartsWith("Lost update."), HasSubstr("participant 1: store -> 1")));
}

TEST(InterleavingsTest, FindsNoLostUpdateInACompareAndSwapLoop) {
  auto increment = [](Memory& memory) {
    int seen = memory.word.load();
    while (!memory.word.compare_exchange_weak(seen, seen + 1)) {
    }
  };
  Functions program({increment, increment});
  program.at_end = [](const Memory& memory) {
    if (memory.word.StateValue() != 2) FailInterleaving("Lost update.");
  };
  EXPECT_EQ(ExploreInterleavings(program).failure, "");
}

TEST(InterleavingsTest, AWeakExchangeFailsForNoReasonAsOftenAsAllowed) {
  Functions program({[](Memory& memory) {
    int expected = 0;
    int failures = 0;
    while (!memory.word.compare_exchange_weak(expected, 1)) ++failures;
    if (failures == 2) FailInterleaving("Twice.");
  }});
  EXPECT_EQ(ExploreInterleavings(program, {.accidents = 1}).failure, "");
  EXPECT_EQ(ExploreInterleavings(program, {.accidents = 1}).interleavings, 2u);
  EXPECT_THAT(ExploreInterleavings(program, {.accidents = 2}).failure, StartsWith("Twice."));
}

TEST(InterleavingsTest, AStrongExchangeDoesNotFailForNoReason) {
  Functions program({[](Memory& memory) {
    int expected = 0;
    if (!memory.word.compare_exchange_strong(expected, 1)) FailInterleaving("Failed.");
  }});
  EXPECT_EQ(ExploreInterleavings(program).failure, "");
}

TEST(InterleavingsTest, FindsAWaitThatNobodyEnds) {
  Functions program({[](Memory& memory) { memory.event.Wait(); },
                     [](Memory& memory) {
                       if (memory.word.load() != 0) memory.event.Signal();
                     }});
  EXPECT_THAT(ExploreInterleavings(program, {.accidents = 0}).failure, StartsWith("Stuck."));
}

TEST(InterleavingsTest, FindsALoopThatNeverEnds) {
  Functions program({[](Memory& memory) {
    while (memory.word.load() == 0 && !InterleavingIsOver()) {
    }
  }});
  EXPECT_THAT(ExploreInterleavings(program).failure, StartsWith("It goes on for ever."));
}

Functions MessagePassing(std::memory_order release, std::memory_order acquire) {
  return Functions({[release](Memory& memory) {
                      memory.plain = 1;
                      memory.stamp = Publish();
                      memory.word.store(1, release);
                    },
                    [acquire](Memory& memory) {
                      if (memory.word.load(acquire) == 1 && !Sees(memory.stamp)) FailInterleaving("Unseen.");
                    }});
}

TEST(InterleavingsTest, AReleaseIsSeenByAnAcquire) {
  Functions program = MessagePassing(std::memory_order_release, std::memory_order_acquire);
  EXPECT_EQ(ExploreInterleavings(program).failure, "");
}

TEST(InterleavingsTest, FindsAMissingRelease) {
  Functions program = MessagePassing(std::memory_order_relaxed, std::memory_order_acquire);
  EXPECT_THAT(ExploreInterleavings(program).failure, StartsWith("Unseen."));
}

TEST(InterleavingsTest, FindsAMissingAcquire) {
  Functions program = MessagePassing(std::memory_order_release, std::memory_order_relaxed);
  EXPECT_THAT(ExploreInterleavings(program).failure, StartsWith("Unseen."));
}

// The middle one changes the word without publishing anything, or breaks the chain by a store.
Functions ThreeHands(bool exchanges) {
  return Functions({[](Memory& memory) {
                      memory.stamp = Publish();
                      memory.word.store(1, std::memory_order_release);
                    },
                    [exchanges](Memory& memory) {
                      if (memory.word.load(std::memory_order_relaxed) != 1) return;
                      if (exchanges) {
                        memory.word.exchange(2, std::memory_order_relaxed);
                      } else {
                        memory.word.store(2, std::memory_order_relaxed);
                      }
                    },
                    [](Memory& memory) {
                      if (memory.word.load(std::memory_order_acquire) == 2 && !Sees(memory.stamp)) {
                        FailInterleaving("Unseen.");
                      }
                    }});
}

TEST(InterleavingsTest, AnExchangeContinuesTheReleaseBeforeIt) {
  Functions program = ThreeHands(/*exchanges=*/true);
  EXPECT_EQ(ExploreInterleavings(program).failure, "");
}

TEST(InterleavingsTest, AStoreEndsTheReleaseBeforeIt) {
  Functions program = ThreeHands(/*exchanges=*/false);
  EXPECT_THAT(ExploreInterleavings(program).failure, StartsWith("Unseen."));
}

TEST(InterleavingsTest, ShortcutsChangeNoCount) {
  auto increment_twice = [](bool forgets) {
    return [forgets](Memory& memory) {
      for (int i = 0; i < 2; ++i) {
        if (forgets) ForgetPast(i);
        int seen = memory.word.load();
        while (!memory.word.compare_exchange_weak(seen, seen + 1)) {
          if (forgets) ForgetAttempts(seen);
        }
      }
    };
  };
  Functions remembering({increment_twice(false), increment_twice(false)});
  Functions forgetting({increment_twice(true), increment_twice(true)});
  Exploration all = ExploreInterleavings(remembering, {.each_state_once = false});
  Exploration fewer = ExploreInterleavings(remembering);
  Exploration fewest = ExploreInterleavings(forgetting);
  EXPECT_EQ(all.executions, all.interleavings);
  EXPECT_EQ(fewer.interleavings, all.interleavings);
  EXPECT_EQ(fewest.interleavings, all.interleavings);
  EXPECT_LT(fewer.executions, all.executions);
  EXPECT_LT(fewest.states, fewer.states);
}

}  // namespace
}  // namespace proactor
