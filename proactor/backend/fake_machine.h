// SPDX-License-Identifier: Apache-2.0
//
// FakeMachine: the machine of a fake kernel: the calls and the time of a SimulatedSystem, and no thread.
//
//   SimulatedSystem system({.seed = 7});
//   FakeMachine machine(system);
//   machine.OnInterrupt([&] { ... });       // something has happened that somebody may wait for
//   machine.Poll(fd, POLLIN)                // what there is of it now
//   machine.RunJobs();                      // those whose moment has come: what threads would do meanwhile
//
// Threads: the simulation's, except `AddEvent`, which is not worth waiting for then: a simulation does not wait for
//   threads.
#ifndef PROACTOR_BACKEND_FAKE_MACHINE_H_
#define PROACTOR_BACKEND_FAKE_MACHINE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proactor/backend/machine.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/blocking_pool.h"
#include "proactor/monotonic_time.h"
#include "proactor/system.h"

namespace proactor {

class FakeMachine final : public Machine, private JobRunner {
 public:
  // The system outlives the machine, and so do its calls for a thread that must not block, where they are others.
  explicit FakeMachine(SimulatedSystem& system) : FakeMachine(system, system) {}
  FakeMachine(SimulatedSystem& system, System& non_blocking_system);
  ~FakeMachine() override;

  // One listener. It may be called from inside any call of the system.
  void OnInterrupt(std::function<void()> hook) { on_interrupt_ = std::move(hook); }

  SimulatedSystem& system() override { return system_; }
  System& non_blocking_system() override { return non_blocking_system_; }
  JobRunner& blocking_jobs() override { return *this; }
  MonotonicTime Now() const override { return system_.clock().Now(); }
  absl::Time WallTime() const override { return system_.clock().WallTime(); }
  void Pause(absl::Duration time) override;
  int pauses() const { return pauses_; }
  bool real() const override { return false; }
  uint32_t seed() const override;

  // Their numbers are beyond those of the system's descriptors, which they are none of.
  int OpenEvent() override;
  void AddEvent(int event) override { EventAt(event).added.fetch_add(1, std::memory_order_release); }
  void TakeEvents(int event) override { EventAt(event).taken = EventAt(event).Added(); }
  void CloseEvent(int) override {}

  static bool IsEvent(int number) { return number >= kFirstEvent && number < 2 * kFirstEvent; }
  // As poll(2): which of `events` there are on a descriptor or an event.
  unsigned Poll(int fd, unsigned events) const;
  // Grows whenever a new look at the descriptor is worth it.
  uint64_t Edges(int fd) const;

  // In so long, or in the past: something is asked for that takes its time.
  MonotonicTime AfterLatency();

  // Jobs run one at a time, in an order that the seed decides. Whether one ran.
  bool RunJobs();
  MonotonicTime NextJob() const;

 private:
  struct Event {
    std::atomic<uint64_t> added = 0;
    uint64_t taken = 0;
    // Acquire sees what was done before the event was added.
    uint64_t Added() const { return added.load(std::memory_order_acquire); }
  };
  struct Job {
    BlockingJob* job;
    MonotonicTime start;
  };
  static constexpr int kFirstEvent = 1'000'000;

  Event& EventAt(int number) { return events_[static_cast<size_t>(number - kFirstEvent)]; }
  const Event& EventAt(int number) const { return events_[static_cast<size_t>(number - kFirstEvent)]; }

  void Submit(BlockingJob& job) override;
  bool Remove(BlockingJob& job) override;

  SimulatedSystem& system_;
  System& non_blocking_system_;
  std::function<void()> on_interrupt_;
  std::deque<Event> events_;  // Stay where they are.
  std::vector<Job> jobs_;
  int pauses_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_MACHINE_H_
