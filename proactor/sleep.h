// SPDX-License-Identifier: Apache-2.0
//
// Sleep: waits for a time, and lets everybody else run meanwhile.
//
//   co_await Try(Sleep(absl::Milliseconds(20)));
//
// Never early: the duration starts from a fresh reading of the clock when it is awaited, and fractions of a nanosecond
// are rounded up. A duration of zero or less gives the other ready coroutines a turn. Costs no system call and no
// allocation.
//
// Result: OK. Cancelled: `kCancelled`. Threads: the scheduler's.
#ifndef PROACTOR_SLEEP_H_
#define PROACTOR_SLEEP_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/promise.h"
#include "proactor/timer.h"

namespace proactor {
namespace internal {

class PendingSleep : public Suspension, private Timer {
 public:
  PendingSleep(PromiseBase& promise, const Context& context, absl::Duration duration)
      : promise_(promise), context_(context), duration_(duration) {}
  ~PendingSleep();

  bool Start();
  bool Waiting() const { return waiting_; }
  bool StopWaiting() {
    waiting_ = false;
    return true;
  }
  bool Failed() const { return cancelled_; }
  absl::Status TakeResult() const;
  absl::Status TakeFailure() const { return TakeResult(); }
  void TakeValue() const {}

  void Cancel() final;
  const CancelScope* scope() const final { return context_.scope; }
  std::string Describe() const final;

 protected:
  PromiseBase& promise_;

 private:
  void Fire() final;

  const Context& context_;
  absl::Duration duration_;
  bool waiting_ = false;  // From `Start` until it has been resumed.
  bool cancelled_ = false;
};

class [[nodiscard]] SleepAwaitable {
 public:
  explicit SleepAwaitable(absl::Duration duration) : duration_(duration) {}
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return LeafAwaiter<PendingSleep, kTry>(promise, context, duration_);
  }

 private:
  absl::Duration duration_;
};

}  // namespace internal

inline internal::SleepAwaitable Sleep(absl::Duration duration) { return internal::SleepAwaitable(duration); }

}  // namespace proactor

#endif  // PROACTOR_SLEEP_H_
