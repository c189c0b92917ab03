// SPDX-License-Identifier: Apache-2.0
//
// Interleavings: runs a small concurrent program in every order of its steps, and says which order breaks it.
//
//   class Race : public ConcurrentProgram { ... ModelAtomic<int> word_; ... };   // model_atomic.h
//   Race race;
//   Exploration exploration = ExploreInterleavings(race);
//   EXPECT_EQ(exploration.failure, "");
//
// Each participant is a fiber, and each access to a ModelAtomic or ModelEvent is a step, before which any other
// participant may go on. The search goes depth first through all choices, running the program again for each.
//
// All accesses of an execution have one order: that a processor lets a load overtake a store is not explored. Memory
// orders that are too weak are found all the same, by vector clocks: `Publish` and `Sees` tell whether those given
// carry what was written before to its reader.
//
// A state that was seen before, with the same past for each participant, has the same future, so it is not entered
// again; `interleavings` counts the orders that lead through it nevertheless.
//
// Threads: one; the participants are interleaved on it.
#ifndef PROACTOR_TESTS_SUPPORT_INTERLEAVINGS_H_
#define PROACTOR_TESTS_SUPPORT_INTERLEAVINGS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace proactor {

inline constexpr int kMostParticipants = 4;

// What is explored. It must do the same each time it makes the same observations.
class ConcurrentProgram {
 public:
  virtual ~ConcurrentProgram() = default;

  // At most kMostParticipants.
  virtual int participants() const = 0;
  // Makes everything new, at the same addresses. Model objects are made here, and nowhere else.
  virtual void Reset() = 0;
  // What a participant does, from its beginning to its end.
  virtual void Run(int participant) = 0;
  // Appends the plain memory that participants share.
  virtual void AppendState(std::vector<uint64_t>& state) const = 0;
  // No participant can go on. Those that have not ended wait for ever.
  virtual void AtEnd(bool all_ended) = 0;
  // How a participant and a value are shown in the steps that led to a failure.
  virtual std::string Name(int participant) const { return "participant " + std::to_string(participant); }
  virtual std::string Show(uint64_t value) const { return std::to_string(value); }
};

struct ExplorationOptions {
  // How often in one execution something may happen that need not: a weak compare-and-swap that fails for no reason, a
  // wait that returns early.
  int accidents = 1;
  // An execution with more steps goes on for ever.
  int steps = 500;
  // Off: enters a state again whenever it comes by, so that each interleaving is an execution. To check the search
  // itself.
  bool each_state_once = true;
};

struct Exploration {
  uint64_t interleavings = 0;
  uint64_t states = 0;
  uint64_t executions = 0;  // How many were run to see them all.
  std::string failure;      // The first that was found, and the steps that led to it. Empty if there is none.
};

Exploration ExploreInterleavings(ConcurrentProgram& program, const ExplorationOptions& options = {});

// For programs: reports that this execution is wrong. The first report counts.
void FailInterleaving(std::string_view why);
// Whether the execution is being wound up: nothing waits any more, and a participant's loops must end.
bool InterleavingIsOver();

// On a participant: says that of all it has seen so far it remembers only `summary`, and what AppendState shows. Fewer
// states are told apart then, and far fewer executions needed.
void ForgetPast(uint64_t summary);
// The same for an attempt that failed: of what it has seen since the last ForgetPast, it remembers only `seen`.
void ForgetAttempts(uint64_t seen);

// A moment in the past of one participant.
struct Stamp {
  int participant = 0;
  uint8_t time = 0;
};
// On a participant: marks what it has done so far.
Stamp Publish();
// On a participant: whether what was marked is visible to it, by the memory orders on the way.
bool Sees(Stamp stamp);

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_INTERLEAVINGS_H_
