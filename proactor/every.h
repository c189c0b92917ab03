// SPDX-License-Identifier: Apache-2.0
//
// Every: a tick per period, for as long as somebody asks for the next.
//
//   Ticker ticker = Every(absl::Seconds(1));
//   while (true) {
//     int64_t missed = co_await Try(ticker.Next());
//     Report(missed);
//   }
//
// The first `Next` that is awaited begins: the first tick is then, at once, and tick n is n periods later, exactly,
// however long the work between takes. So it does not drift, not even by the rounding of a period that is no whole
// number of nanoseconds. A tick is never early, and a change of the system's clock has no effect.
//
// Result: how many ticks were missed, usually 0. When a tick is over already, `Next` yields the last one at once, late,
//   and those before it were missed; the one after it is in time again. A period of zero or less: `kInvalidArgument`.
//   An infinite one has a first tick only.
// Cancelled: `kCancelled`, and no tick is lost: the next `Next` yields the same one, or counts it as missed.
// Threads: the scheduler's. One coroutine at a time waits for a ticker, which must stay where it is meanwhile.
#ifndef PROACTOR_EVERY_H_
#define PROACTOR_EVERY_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/clock.h"
#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/log.h"
#include "proactor/monotonic_time.h"
#include "proactor/promise.h"
#include "proactor/sleep.h"

namespace proactor {

class Ticker {
 public:
  explicit Ticker(absl::Duration period) : period_(period) {}

  // Waits for the next tick.
  auto Next();

 private:
  class PendingTick;
  struct NextAwaitable;

  // When to wake up for the next tick.
  MonotonicTime Deadline(const Clock& clock) {
    if (!start_.has_value()) start_ = clock.Now();
    // Not 0 times the period, which may be infinite.
    return next_ == 0 || !valid() ? MonotonicTime::Past() : *start_ + period_ * next_;
  }
  // Goes past all ticks up to `now`, and yields how many there were before the last.
  int64_t Take(MonotonicTime now) {
    absl::Duration rest;
    int64_t last = absl::IDivDuration(now - *start_, period_, &rest);
    int64_t missed = std::max<int64_t>(last - next_, 0);
    next_ += missed + 1;
    return missed;
  }
  bool valid() const { return period_ > absl::ZeroDuration(); }

  absl::Duration period_;
  std::optional<MonotonicTime> start_;  // Tick 0.
  int64_t next_ = 0;
  bool awaited_ = false;
};

inline Ticker Every(absl::Duration period) { return Ticker(period); }

// A sleep that ends with a tick.
class Ticker::PendingTick : public internal::PendingSleep {
 public:
  PendingTick(PromiseBase& promise, const Context& context, Ticker& ticker)
      : PendingSleep(promise, context, ticker.Deadline(context.loop->clock)), ticker_(ticker) {
    Check(!ticker.awaited_, [&] {
      return absl::StrCat("The coroutine ", DescribeCoroutine(promise),
                          " awaits a Ticker that another one waits for: make one for each.");
    });
  }

  bool Start() {
    ticker_.awaited_ = PendingSleep::Start();
    return ticker_.awaited_;
  }
  bool StopWaiting() {
    ticker_.awaited_ = false;
    return PendingSleep::StopWaiting();
  }
  bool Failed() const { return PendingSleep::Failed() || !ticker_.valid(); }
  absl::Status TakeFailure() const {
    if (PendingSleep::Failed()) return PendingSleep::TakeFailure();
    return absl::InvalidArgumentError(
        absl::StrCat("Every: the period must be more than zero, not ", absl::FormatDuration(ticker_.period_)));
  }
  int64_t TakeValue() { return ticker_.Take(context_.loop->clock.Now()); }
  absl::StatusOr<int64_t> TakeResult() {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }

 private:
  Ticker& ticker_;
};

struct Ticker::NextAwaitable {
  Ticker& ticker;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingTick, kTry>(promise, context, ticker);
  }
};

inline auto Ticker::Next() { return NextAwaitable{*this}; }

}  // namespace proactor

#endif  // PROACTOR_EVERY_H_
