// SPDX-License-Identifier: Apache-2.0
#include "proactor/signal_set.h"

#include <sys/signalfd.h>

#include <span>

#include "absl/strings/str_cat.h"
#include "proactor/context.h"
#include "proactor/errors.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/read.h"
#include "proactor/proactor.h"
#include "proactor/try.h"

namespace proactor {

absl::StatusOr<sigset_t> SignalSet::SetOf(std::initializer_list<int> numbers) {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : numbers) {
    // Linux leaves these two out without a word, and waiting for them would be for ever.
    bool never_waits = number == SIGKILL || number == SIGSTOP;
    if (never_waits || sigaddset(&signals, number) < 0) {
      return absl::InvalidArgumentError(absl::StrCat(number, " is no signal that can be blocked"));
    }
  }
  return signals;
}

Task<absl::StatusOr<SignalSet>> SignalSet::BlockAll(absl::StatusOr<sigset_t> signals) {
  if (!signals.ok()) co_return signals.status();
  System& system = (co_await CurrentContext()).loop->proactor.system();
  int number = system.SignalDescriptor(*signals);
  if (number < 0) co_return ErrnoToStatus(-number, "signalfd");
  SignalSet set;
  set.descriptor_ = OwnedDescriptor(system, number, DescriptorKind::kOther);
  sigset_t before;
  int result = system.SetSignalMask(SIG_BLOCK, *signals, &before);
  if (result < 0) co_return ErrnoToStatus(-result, "pthread_sigmask");
  // Those that were blocked already stay so at the end.
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&before, signal) == 1) sigdelset(&*signals, signal);
  }
  set.blocked_ = *signals;
  co_return set;
}

SignalSet::~SignalSet() {
  if (descriptor_) descriptor_->system.SetSignalMask(SIG_UNBLOCK, blocked_, nullptr);
}

Task<absl::StatusOr<Signal>> SignalSet::Wait() {
  // Room for one: what is not read stays in the kernel, where no cancellation loses it.
  signalfd_siginfo received;
  std::span<char> buffer(reinterpret_cast<char*>(&received), sizeof(received));
  co_await Try(MakeOperation(ReadOp{{.descriptor = descriptor_.get(), .buffer = buffer}}));
  co_return Signal{.number = static_cast<int>(received.ssi_signo),
                   .process = static_cast<pid_t>(received.ssi_pid),
                   .user = received.ssi_uid};
}

}  // namespace proactor
