// SPDX-License-Identifier: Apache-2.0
//
// Watch<T>: a value that changes, and those who want to know the latest.
//
//   Watch<Config> config(Defaults());
//   config.Set(Load());                                                     // As often as you like.
//
//   Watch<Config>::Observer observer(config);
//   while (std::optional<Config> latest = co_await Try(observer.Changed())) Apply(*latest);
//
//  - An observer sees the latest value, and none twice: the first `Changed` yields the value at once, each later one
//    waits until it has been set again. What was set in between is not seen, so nobody waits for a slow observer.
//  - After `Close` an observer still sees what it has not seen, and then the end.
//  - T can be copied; each observer gets its own. For a large one, let T be a std::shared_ptr<const Large>.
//
// Result: `Changed` yields an `absl::StatusOr<std::optional<T>>`: no value at the end.
// Cancelled: `kCancelled`; the value is still to be seen.
// Threads: those of one scheduler. Must outlive its observers.
#ifndef PROACTOR_SYNC_WATCH_H_
#define PROACTOR_SYNC_WATCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

template <class T>
class Watch {
 public:
  class Observer;

  explicit Watch(T value) : value_(std::move(value)) {}
  ~Watch() { Check(observers_ == 0, "A Watch was destroyed before its observers."); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  const T& value() const { return value_; }

  // Also when the value is equal to the one before.
  void Set(T value) {
    value_ = std::move(value);
    ++version_;
    waiters_.WakeAll();
  }
  // No more changes.
  void Close() {
    closed_ = true;
    waiters_.WakeAll();
  }
  bool closed() const { return closed_; }

 private:
  class PendingChange;
  struct [[nodiscard]] ChangedAwaitable {
    Observer& observer;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingChange, kTry>(promise, context, observer);
    }
  };

  T value_;
  uint64_t version_ = 1;
  int observers_ = 0;
  bool closed_ = false;
  WaiterList waiters_;
};

// One who looks, as one coroutine at a time.
template <class T>
class Watch<T>::Observer {
 public:
  explicit Observer(Watch& watch) : watch_(watch) { ++watch_.observers_; }
  ~Observer() { --watch_.observers_; }
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // Waits until there is a value that this observer has not seen.
  auto Changed() { return ChangedAwaitable{*this}; }

  // The latest, without waiting; none if it has been seen.
  std::optional<T> TryChanged() {
    if (!due()) return std::nullopt;
    seen_ = watch_.version_;
    return watch_.value_;
  }

 private:
  friend class Watch;
  bool due() const { return seen_ != watch_.version_; }

  Watch& watch_;
  uint64_t seen_ = 0;
};

template <class T>
class Watch<T>::PendingChange : public Waiter {
 public:
  PendingChange(PromiseBase& promise, const Context& context, Observer& observer)
      : Waiter(promise, context), observer_(observer) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    Watch& watch = observer_.watch_;
    return observer_.due() || watch.closed_ ? Settle(kGranted) : WaitIn(watch.waiters_);
  }
  // Now rather than when it was woken: it may have been set once more.
  std::optional<T> TakeValue() {
    Check(observer_.due() || observer_.watch_.closed_, [&] {
      return absl::StrCat("The coroutine ", DescribeCoroutine(this->promise_),
                          " waited for a Watch::Observer that another one looked through: make one for each.");
    });
    return observer_.TryChanged();
  }
  absl::StatusOr<std::optional<T>> TakeResult() {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
  std::string Describe() const final { return "a change of a watched value"; }

 private:
  Observer& observer_;
};

}  // namespace proactor

#endif  // PROACTOR_SYNC_WATCH_H_
