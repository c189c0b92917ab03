// SPDX-License-Identifier: Apache-2.0
//
// SimulatedWorld: runs coroutines in a test with no kernel, no waiting, and no flakes: a scheduler over a simulated
// system, in virtual time.
//
//   TEST(RetryTest, BackOffDoublesEachTime) {
//     SimulatedWorld world;
//     absl::Status status = world.Run(WithRetries(3));
//     EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
//     EXPECT_EQ(world.Elapsed(), absl::Seconds(1 + 2 + 4));
//   }
//
// Everything works as it does outside: sockets, files, timers, cancellation. What the kernel leaves open, the seed
// decides: how much a read brings, who is first, whether a cancellation or a result wins. The same seed always gives
// the same run, so try many
// (`for (uint64_t seed = 1; seed <= 100; ++seed) { SimulatedWorld world({.seed = seed}); ... }`); a failure says which
// one it was.
//
//  - Time jumps when nothing is runnable. `max_latency` in the options makes operations and cancellations take some.
//  - A deadlock, when everything waits and nothing is left to happen, fails the test with a dump of who waits for what,
//    and cancels everything.
//  - At its end the world cancels the tasks that are left, and fails the test if a descriptor is still open.
//
// Threads: one. A world does not wait for threads; nothing in it may depend on one.
#ifndef PROACTOR_TESTING_SIMULATED_WORLD_H_
#define PROACTOR_TESTING_SIMULATED_WORLD_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"

namespace proactor {

// A proactor over a world's system, and what it stands on, if anything.
struct WorldProactor {
  std::shared_ptr<void> under;
  std::unique_ptr<Proactor> proactor;
};
// Makes one, which calls `on_deadlock` when it would wait for ever.
using MakeWorldProactor = std::function<WorldProactor(SimulatedSystem& system, std::function<void()> on_deadlock)>;

class SimulatedWorld {
 public:
  explicit SimulatedWorld(SimulationOptions options = {});
  // Over another proactor than the SimulatedProactor: a real one over a fake kernel.
  SimulatedWorld(SimulationOptions options, const MakeWorldProactor& make);
  ~SimulatedWorld();
  SimulatedWorld(const SimulatedWorld&) = delete;

  // Runs until the task has its result. May be called again: time goes on, and what was spawned does too.
  template <class T>
  T Run(Task<T> task) {
    return scheduler_.Run(std::move(task));
  }

  // Virtual time since the world began.
  absl::Duration Elapsed() const { return scheduler_.Now() - SimulatedClock::kStart; }

  // Sends a signal to the simulated process; see signal_set.h. Most of those that nobody has blocked end the test.
  void Raise(int signal) { system_.Raise(signal); }

  Scheduler& scheduler() { return scheduler_; }
  // Its files and standard streams, and what is to go wrong.
  SimulatedSystem& system() { return system_; }

  // For a test that leaves descriptors open on purpose.
  void AllowOpenDescriptors() { open_descriptors_allowed_ = true; }

 private:
  void Deadlocked();

  ::testing::ScopedTrace trace_;  // Names the seed in every failure that happens while the world lives.
  SimulatedSystem system_;
  WorldProactor made_;  // The proactor is the scheduler's from the start.
  Scheduler scheduler_;
  bool deadlocked_ = false;
  bool open_descriptors_allowed_ = false;
};

}  // namespace proactor

#endif  // PROACTOR_TESTING_SIMULATED_WORLD_H_
