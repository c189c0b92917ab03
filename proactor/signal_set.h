// SPDX-License-Identifier: Apache-2.0
//
// SignalSet: signals as something to await (signalfd(2)), instead of something that interrupts.
//
//   SignalSet signals = co_await Try(SignalSet::Block(SIGINT, SIGTERM));
//   Signal signal = co_await Try(signals.Wait());
//   server.Cancel();
//
// As long as the set lives, its signals are blocked in the thread that made it: they wait until somebody takes them.
// Several that come together are all delivered, one for each `Wait`; of one that comes again before it was taken, the
// second is lost, unless it is a real-time signal (signal(7)). What signals do otherwise, their disposition, is never
// changed. Of two sets with the same signal, whoever waits first takes it.
//
// When the set is destroyed, the signals that it blocked are no longer. Those that came and were not taken then do what
// they do without a set: SIGTERM ends the process.
//
// Threads: make one before the program starts other threads, which inherit what is blocked; a thread where SIGTERM is
//   not blocked would take it, and end the process. Destroyed on the thread that made it.
#ifndef PROACTOR_SIGNAL_SET_H_
#define PROACTOR_SIGNAL_SET_H_

#include <signal.h>
#include <sys/types.h>

#include <concepts>
#include <initializer_list>
#include <utility>

#include "absl/status/statusor.h"
#include "proactor/descriptor.h"
#include "proactor/task.h"

namespace proactor {

// One that came.
struct Signal {
  int number;     // SIGTERM
  pid_t process;  // Who sent it; 0 for the kernel, such as when somebody types Control-C.
  uid_t user;     // And for whom.
};

class SignalSet {
 public:
  // A set of nothing, to be assigned to.
  SignalSet() = default;
  SignalSet(SignalSet&&) = default;
  SignalSet& operator=(SignalSet other) {
    std::swap(descriptor_, other.descriptor_);
    std::swap(blocked_, other.blocked_);
    return *this;
  }
  ~SignalSet();

  // Blocks these signals, from the moment this is awaited. Result: the set; `kInvalidArgument` if one of them is no
  // signal, or cannot be blocked (SIGKILL, SIGSTOP).
  template <std::same_as<int>... Numbers>
  static Task<absl::StatusOr<SignalSet>> Block(Numbers... numbers) {
    return BlockAll(SetOf({numbers...}));
  }

  // Waits for one of them, one wait at a time. Result: the signal. Cancelled: `kCancelled`; a signal that comes is then
  // for the next wait.
  Task<absl::StatusOr<Signal>> Wait();

  explicit operator bool() const { return static_cast<bool>(descriptor_); }

 private:
  static absl::StatusOr<sigset_t> SetOf(std::initializer_list<int> numbers);
  static Task<absl::StatusOr<SignalSet>> BlockAll(absl::StatusOr<sigset_t> signals);

  OwnedDescriptor descriptor_;  // The signalfd.
  sigset_t blocked_ = {};       // What was not blocked before.
};

}  // namespace proactor

#endif  // PROACTOR_SIGNAL_SET_H_
