// SPDX-License-Identifier: Apache-2.0
//
// SimulatedSignals: the signals of a simulated process (signal(7)), and SimulatedSignalDescriptor, where it takes them
// (signalfd(2)).
//
//   SimulatedSignals signals;
//   signals.SetMask(SIG_BLOCK, set, nullptr);
//   signals.Raise(SIGTERM);
//   int result = SimulatedSignalDescriptor(signals, set).Read(buffer, size, -1);   // One signalfd_siginfo.
//
// A signal that is blocked waits until it is taken or no longer blocked; a second of the same number is lost, except of
// the real-time signals. One that is not blocked has its default effect: nothing, for those that are ignored; the end
// of the process otherwise, and the simulation cannot go on.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_SIGNALS_H_
#define PROACTOR_BACKEND_SIMULATED_SIGNALS_H_

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "proactor/backend/simulated_description.h"

namespace proactor {

class SimulatedSignals {
 public:
  SimulatedSignals() { sigemptyset(&blocked_); }

  // To the process, from itself.
  void Raise(int number);

  // As pthread_sigmask(3); -errno.
  int SetMask(int how, const sigset_t& signals, sigset_t* before);

  // Takes the first of these that waits, in the order of their numbers; 0 if none does.
  int Take(const sigset_t& signals);

  // Whether one of these waits, and how many have come.
  bool Waits(const sigset_t& signals) const;
  uint64_t raised() const { return raised_; }

 private:
  // What the signal does where nobody has blocked it.
  static void Act(int number);

  sigset_t blocked_;
  uint64_t raised_ = 0;
  std::map<int, int> waiting_;  // How many of each number.
};

class SimulatedSignalDescriptor final : public SimulatedDescription {
 public:
  SimulatedSignalDescriptor(SimulatedSignals& signals, const sigset_t& set) : signals_(signals), set_(set) {}

  int Read(char* buffer, size_t size, int64_t offset) override;
  int Write(const char*, size_t, int64_t) override { return -EINVAL; }
  void Stat(struct statx& facts) const override;
  std::optional<SimulatedReadiness> Poll() const override;
  std::string Describe() const override { return "signalfd"; }

 private:
  SimulatedSignals& signals_;
  sigset_t set_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_SIGNALS_H_
