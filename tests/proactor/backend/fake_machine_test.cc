// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_machine.h"

#include <poll.h>

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace proactor {
namespace {

class Note final : public BlockingJob {
 public:
  Note(std::vector<int>& notes, int number) : notes_(notes), number_(number) {}
  void Run() override { notes_.push_back(number_); }

 private:
  std::vector<int>& notes_;
  int number_;
};

TEST(FakeMachineTest, AnEventIsReadableUntilItIsTakenAndEachIsAnEdge) {
  SimulatedSystem system;
  FakeMachine machine(system);
  int event = machine.OpenEvent();
  EXPECT_EQ(machine.Poll(event, POLLIN), 0u);
  machine.AddEvent(event);
  uint64_t edges = machine.Edges(event);
  EXPECT_EQ(machine.Poll(event, POLLIN), unsigned{POLLIN});
  std::thread other([&] { machine.AddEvent(event); });
  other.join();
  EXPECT_GT(machine.Edges(event), edges);
  machine.TakeEvents(event);
  EXPECT_EQ(machine.Poll(event, POLLIN), 0u);
  machine.AddEvent(event);
  EXPECT_EQ(machine.Poll(event, POLLIN), unsigned{POLLIN});
  EXPECT_NE(machine.OpenEvent(), event);
}

TEST(FakeMachineTest, TimeAndDescriptorsAreTheSystems) {
  SimulatedSystem system({.seed = 7});
  FakeMachine machine(system);
  EXPECT_EQ(&machine.system(), &system);
  EXPECT_EQ(machine.seed(), 7u);
  auto [reader, writer] = system.MakePipe();
  EXPECT_EQ(machine.Poll(reader, POLLIN), 0u);
  EXPECT_EQ(machine.Poll(writer, POLLOUT), unsigned{POLLOUT});
  uint64_t edges = machine.Edges(reader);
  while (system.Write(writer, "x", 1, -1) < 0) continue;
  EXPECT_GT(machine.Edges(reader), edges);
  EXPECT_EQ(machine.Poll(reader, POLLIN), unsigned{POLLIN});
  EXPECT_EQ(machine.Poll(12345, POLLIN), unsigned{POLLNVAL});
  MonotonicTime later = machine.Now() + absl::Seconds(5);
  absl::Time wall = machine.WallTime();
  system.clock().AdvanceTo(later);
  EXPECT_EQ(machine.Now(), later);
  EXPECT_EQ(machine.WallTime() - wall, absl::Seconds(5));
}

TEST(FakeMachineTest, WhateverHappensInterrupts) {
  SimulatedSystem system;
  FakeMachine machine(system);
  int interrupts = 0;
  machine.OnInterrupt([&] { ++interrupts; });
  system.WriteFile("file", "contents");
  EXPECT_EQ(interrupts, 1);
  std::vector<int> notes;
  Note note(notes, 1);
  machine.blocking_jobs().Submit(note);
  EXPECT_EQ(interrupts, 2);
  EXPECT_TRUE(machine.RunJobs());
}

TEST(FakeMachineTest, JobsRunOnceInAnyOrderAndNotBeforeTheirTime) {
  bool orders[2] = {false, false};
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedSystem system({.seed = seed, .max_latency = absl::Microseconds(20)});
    FakeMachine machine(system);
    std::vector<int> notes;
    Note first(notes, 0), second(notes, 1), third(notes, 2);
    for (Note* note : {&first, &second, &third}) machine.blocking_jobs().Submit(*note);
    EXPECT_TRUE(machine.blocking_jobs().Remove(third));
    EXPECT_FALSE(machine.blocking_jobs().Remove(third));
    while (machine.NextJob() != MonotonicTime::Infinite()) {
      EXPECT_EQ(machine.RunJobs(), machine.NextJob() <= machine.Now() || !notes.empty());
      if (machine.NextJob() != MonotonicTime::Infinite()) system.clock().AdvanceTo(machine.NextJob());
    }
    ASSERT_EQ(notes.size(), 2u);
    EXPECT_NE(notes[0], notes[1]);
    orders[notes[0]] = true;
  }
  EXPECT_TRUE(orders[0] && orders[1]);
}

TEST(FakeMachineTest, APauseTakesNoRealTime) {
  SimulatedSystem system;
  FakeMachine machine(system);
  MonotonicTime begin = machine.Now();
  machine.Pause(absl::Hours(1));
  EXPECT_EQ(machine.Now() - begin, absl::Hours(1));
  EXPECT_EQ(machine.pauses(), 1);
}

}  // namespace
}  // namespace proactor
