// SPDX-License-Identifier: Apache-2.0
//
// Sleep, SleepUntil: waits for a time, and lets everybody else run meanwhile.
//
//   co_await Try(Sleep(absl::Milliseconds(20)));
//   co_await Try(SleepUntil(context.loop->clock.Now() + absl::Seconds(1)));   // or an absl::Time
//
// Never early: a duration starts from a fresh reading of the clock when it is awaited, and fractions of a nanosecond
// are rounded up. A time of day is made a duration then: a change of the system's clock after that has no effect. What
// is over already (a duration of zero or less, a time that has passed) gives the other ready coroutines a turn; what is
// infinite lasts until it is cancelled. Costs no system call and no allocation.
//
// Result: OK. Cancelled: `kCancelled`. Threads: the scheduler's.
#ifndef PROACTOR_SLEEP_H_
#define PROACTOR_SLEEP_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/clock.h"
#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/monotonic_time.h"
#include "proactor/promise.h"
#include "proactor/timer.h"

namespace proactor {
namespace internal {

class PendingSleep : public Suspension, private Timer {
 public:
  PendingSleep(PromiseBase& promise, const Context& context, MonotonicTime deadline)
      : promise_(promise), context_(context), deadline_(deadline) {}
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
  const Context& context_;

 private:
  void Fire() final;

  MonotonicTime deadline_;
  bool waiting_ = false;  // From `Start` until it has been resumed.
  bool cancelled_ = false;
};

// `Time` is an absl::Duration, an absl::Time, or a MonotonicTime.
template <class Time>
class [[nodiscard]] TimedSleep {
 public:
  explicit TimedSleep(Time time) : time_(time) {}
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return LeafAwaiter<PendingSleep, kTry>(promise, context, Deadline(context.loop->clock, time_));
  }

 private:
  static MonotonicTime Deadline(const Clock& clock, absl::Duration duration) {
    return duration > absl::ZeroDuration() ? clock.Now() + duration : MonotonicTime::Past();
  }
  static MonotonicTime Deadline(const Clock& clock, absl::Time time) {
    return Deadline(clock, time - clock.WallTime());
  }
  static MonotonicTime Deadline(const Clock&, MonotonicTime time) { return time; }

  Time time_;
};

using SleepAwaitable = TimedSleep<absl::Duration>;

}  // namespace internal

inline internal::SleepAwaitable Sleep(absl::Duration duration) { return internal::SleepAwaitable(duration); }

inline auto SleepUntil(absl::Time time) { return internal::TimedSleep(time); }
inline auto SleepUntil(MonotonicTime time) { return internal::TimedSleep(time); }

}  // namespace proactor

#endif  // PROACTOR_SLEEP_H_
