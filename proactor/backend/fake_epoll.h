// SPDX-License-Identifier: Apache-2.0
//
// FakeEpoll: an epoll(7) over a SimulatedSystem, in its virtual time, that does all that Linux's may do.
//
//   SimulatedSystem system({.seed = 7});
//   FakeEpoll kernel(system, FakeEpollOptions::EveryFault());
//   auto proactor = EpollProactor::Create(kernel);      // the real one
//
// It reports edges and nothing else, as to EPOLLET: an event that is not asked for in time is not reported again until
// something wakes the descriptor once more. While a wait lasts, the jobs of the BlockingPool run in it one at a time,
// and time jumps from one moment at which something happens to the next.
//
// A descriptor that is closed while it is watched ends the process with a sentence: a duplicate of it in another
// process would keep its reports coming, to memory that is gone.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_EPOLL_H_
#define PROACTOR_BACKEND_FAKE_EPOLL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "proactor/backend/epoll_kernel.h"
#include "proactor/backend/fake_machine.h"
#include "proactor/backend/fake_nonblocking_system.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/monotonic_time.h"

namespace proactor {

// What goes wrong happens one time in so many; 0: never. A seed decides when.
struct FakeEpollOptions {
  bool knows_nanoseconds = true;  // epoll_pwait2(2), Linux 5.11; ENOSYS before.
  bool pipes_know_nowait = true;  // RWF_NOWAIT of pipes, Linux 6.4.
  unsigned interrupted = 0;       // A wait ends early: EINTR.
  unsigned spurious = 0;          // A report of what is not so.
  unsigned postponed = 0;         // Not all that there is to report is.
  unsigned in_parts = 0;          // A part of the events of a descriptor is reported first, and all of them later.

  static FakeEpollOptions EveryFault() {
    return {.interrupted = 16, .spurious = 16, .postponed = 4, .in_parts = 4};
  }
};

class FakeEpoll final : public EpollKernel {
 public:
  // The system outlives the kernel.
  explicit FakeEpoll(SimulatedSystem& system, FakeEpollOptions options = {});

  // Called when a wait would have no end.
  void OnDeadlock(std::function<void()> hook) { on_deadlock_ = std::move(hook); }
  // The next so many descriptors are not taken: ENOSPC, beyond fs.epoll.max_user_watches, or ENOMEM.
  void FailToAdd(int error, int times) { add_error_ = error, add_failures_ = times; }
  size_t watched() const { return watches_.size(); }

  int Create() override;
  int Control(int epoll, int operation, int fd, epoll_event* event) override;
  int Wait(int epoll, epoll_event* events, int size, const timespec* time) override;
  int WaitMilliseconds(int epoll, epoll_event* events, int size, int milliseconds) override;
  void Close(int epoll) override;
  FakeMachine& machine() override { return machine_; }

 private:
  struct Watch {
    std::shared_ptr<SimulatedDescription> description;  // Null for an event of the machine.
    epoll_event wanted;
    uint64_t wakes = 0;    // Those that it knows of.
    bool pending = false;  // There may be something to report.
    MonotonicTime due = MonotonicTime::Past();
  };
  using Watches = std::map<int, Watch>;

  bool Happens(unsigned one_in) { return one_in != 0 && machine_.system().chance().OneIn(one_in); }
  int WaitUntil(epoll_event* events, int size, MonotonicTime until);
  // What is to be known of a descriptor: its edges, and what is so now.
  SimulatedReadiness Readiness(int fd, const Watch& watch) const;
  void NoteEdges();
  int Report(epoll_event* events, int size);
  uint32_t EventsOf(int fd, Watch& watch);
  MonotonicTime NextReport() const;

  FakeNonBlockingSystem nonblocking_;
  FakeMachine machine_;
  const FakeEpollOptions options_;
  std::function<void()> on_deadlock_;
  int add_error_ = 0;
  int add_failures_ = 0;
  bool open_ = false;
  Watches watches_;  // By number.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_EPOLL_H_
