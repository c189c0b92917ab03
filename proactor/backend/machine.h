// SPDX-License-Identifier: Apache-2.0
//
// Machine: what a proactor over a kernel has of its machine besides the way in which it waits: the system calls, the
// clocks, event counters to be woken by, threads that may block.
//
//   Machine& machine = Machine::Real();
//   int event = machine.OpenEvent();
//   machine.AddEvent(event);     // any thread: the descriptor is readable
//   machine.TakeEvents(event);   // and no longer
//
// The real one is Linux's. A fake kernel has one of its own, in memory and virtual time, so that the real proactors run
// over it.
//
// Threads: any, for the real one.
#ifndef PROACTOR_BACKEND_MACHINE_H_
#define PROACTOR_BACKEND_MACHINE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "proactor/blocking_pool.h"
#include "proactor/monotonic_time.h"
#include "proactor/system.h"

namespace proactor {

class Machine {
 public:
  static Machine& Real();
  virtual ~Machine() = default;

  // For threads that may block.
  virtual System& system() = 0;
  // For those that must not.
  virtual System& non_blocking_system() = 0;
  // Where operations are performed that the kernel cannot perform by itself.
  virtual JobRunner& blocking_jobs() = 0;

  virtual MonotonicTime Now() const = 0;
  virtual MonotonicTime RoughlyNow() const { return Now(); }
  virtual absl::Time WallTime() const = 0;
  // The calling thread does nothing for so long. Not while a loop runs: all of its tasks would stand still.
  virtual void Pause(absl::Duration time) = 0;

  // An event counter (eventfd(2)) that does not block: its descriptor, or -errno. It is readable from an `AddEvent` to
  // the next `TakeEvents`; each `AddEvent` is an edge.
  virtual int OpenEvent() = 0;
  virtual void AddEvent(int event) = 0;
  virtual void TakeEvents(int event) = 0;
  virtual void CloseEvent(int event) = 0;

  // Two sockets that are connected to each other, to try requests on; false: there are none.
  virtual bool OpenPair(int (&)[2]) { return false; }

  // Whether there is a kernel below.
  virtual bool real() const { return true; }

  // See `Proactor::seed`.
  virtual uint32_t seed() const { return 1; }
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_MACHINE_H_
