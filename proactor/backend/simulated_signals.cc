// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_signals.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {
namespace {

// The same in every simulation.
constexpr uint32_t kProcess = 2;

}  // namespace

void SimulatedSignals::Raise(int number) {
  if (sigismember(&blocked_, number) != 1) return Act(number);
  int& waiting = waiting_[number];
  waiting = number >= SIGRTMIN ? waiting + 1 : 1;
  ++raised_;
}

void SimulatedSignals::Act(int number) {
  bool ignored = number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH;
  if (ignored) return;
  const char* name = sigabbrev_np(number);
  CheckFailed(absl::StrCat("The simulated process ends here: a signal came that nobody has blocked, ",
                           name != nullptr ? absl::StrCat("SIG", name) : absl::StrCat("number ", number), "."));
}

int SimulatedSignals::SetMask(int how, const sigset_t& signals, sigset_t* before) {
  if (before != nullptr) *before = blocked_;
  switch (how) {
    case SIG_BLOCK:
      sigorset(&blocked_, &blocked_, &signals);
      return 0;
    case SIG_UNBLOCK:
      for (int number = 1; number < NSIG; ++number) {
        if (sigismember(&signals, number) == 1) sigdelset(&blocked_, number);
      }
      break;
    case SIG_SETMASK:
      blocked_ = signals;
      break;
    default:
      return -EINVAL;
  }
  for (int number = 1; number < NSIG; ++number) {
    bool acts = sigismember(&blocked_, number) == 0 && waiting_.erase(number) > 0;
    if (acts) Act(number);
  }
  return 0;
}

int SimulatedSignals::Take(const sigset_t& signals) {
  auto found = std::find_if(waiting_.begin(), waiting_.end(),
                            [&](const auto& waiting) { return sigismember(&signals, waiting.first) == 1; });
  if (found == waiting_.end()) return 0;
  int number = found->first;
  if (--found->second == 0) waiting_.erase(found);
  return number;
}

bool SimulatedSignals::Waits(const sigset_t& signals) const {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& waiting) { return sigismember(&signals, waiting.first) == 1; });
}

// As many as there is room for, as Linux does.
int SimulatedSignalDescriptor::Read(char* buffer, size_t size, int64_t offset) {
  if (offset >= 0) return -ESPIPE;
  if (size < sizeof(signalfd_siginfo)) return -EINVAL;
  size_t taken = 0;
  for (; taken < size / sizeof(signalfd_siginfo); ++taken) {
    signalfd_siginfo signal = {};
    signal.ssi_signo = static_cast<uint32_t>(signals_.Take(set_));
    if (signal.ssi_signo == 0) break;
    signal.ssi_pid = kProcess;
    std::memcpy(buffer + taken * sizeof(signal), &signal, sizeof(signal));
  }
  return taken > 0 ? static_cast<int>(taken * sizeof(signalfd_siginfo)) : -EAGAIN;
}

std::optional<SimulatedReadiness> SimulatedSignalDescriptor::Poll() const {
  return SimulatedReadiness{.events = signals_.Waits(set_) ? uint32_t{POLLIN} : 0, .wakes = signals_.raised()};
}

// An inode of no type, as of all that has no place in a file system.
void SimulatedSignalDescriptor::Stat(struct statx& facts) const { facts.stx_mode = 0600; }

}  // namespace proactor
