// SPDX-License-Identifier: Apache-2.0
//
// Semaphore: a number of permits; who wants some waits until there are enough.
//
//   Semaphore uploads(10);
//   Permit permit = co_await Try(uploads.Acquire());   // or several at once: Acquire(3)
//   co_await Try(Upload(file));                        // The end of the block gives it back, also if this fails.
//
// Where permits come and go separately, as between who makes something and who uses it up: `permit.Keep()` does not
// give them back, `Release(n)` adds new ones.
//
//  - Fair: first come, first served. Who wants many is not overtaken by those who want few, so all wait while the first
//    in line does; when that one is cancelled, whoever is due then goes on.
//  - Who asks for more than there will ever be waits for ever, and with it all behind it.
//
// Result: the permits. Cancelled: `kCancelled`, without any. Threads: those of one scheduler. Must outlive its permits,
// and those who wait for them.
#ifndef PROACTOR_SYNC_SEMAPHORE_H_
#define PROACTOR_SYNC_SEMAPHORE_H_

#include <cstdint>
#include <source_location>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {

class Permit;

class Semaphore {
 public:
  explicit Semaphore(int64_t permits) : available_(permits) { CheckCount(permits); }
  ~Semaphore() {
    if (held_ != 0) [[unlikely]] {
      DestroyedWithPermits();
    }
  }

  // Waits until there are so many permits and nobody is first, and yields them as a Permit.
  auto Acquire(int64_t count = 1);
  // An empty Permit if that would have to wait.
  Permit TryAcquire(int64_t count = 1);
  // Adds permits. Those that were acquired give themselves back.
  void Release(int64_t count = 1) {
    CheckCount(count);
    available_ += count;
    GrantAllDue();
  }

  // How many nobody holds. Those who wait may want more.
  int64_t available() const { return available_; }

 private:
  friend class Permit;
  class PendingAcquire;
  struct AcquireAwaitable;

  static void CheckCount(int64_t count) { Check(count >= 0, "The number of a Semaphore's permits is below zero."); }

  bool Available(int64_t count) const { return count <= available_ && waiters_.empty(); }
  void Take(int64_t count) {
    available_ -= count;
    held_ += count;
  }
  void GiveBack(int64_t count) {
    held_ -= count;
    available_ += count;
    GrantAllDue();
  }
  void GrantAllDue() {
    if (!waiters_.empty()) [[unlikely]] {
      Grant();
    }
  }
  void Grant();
  [[noreturn]] void DestroyedWithPermits() const;

  WaiterList waiters_;
  int64_t available_;
  int64_t held_ = 0;  // By Permits.
};

// Permits of a Semaphore, which are given back at its end. Can be moved. Empty by default, after a move, and after
// either of the functions below.
class [[nodiscard]] Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(other.count_) {}
  Permit& operator=(Permit&& other) noexcept {
    Permit taken(std::move(other));
    std::swap(semaphore_, taken.semaphore_);
    std::swap(count_, taken.count_);
    return *this;
  }
  ~Permit() {
    if (semaphore_ != nullptr) semaphore_->GiveBack(count_);
  }

  explicit operator bool() const { return semaphore_ != nullptr; }
  int64_t count() const { return semaphore_ != nullptr ? count_ : 0; }

  // Gives them back before its end. An empty one has nothing to give, which ends the process with a sentence.
  void Release(std::source_location where = std::source_location::current()) {
    if (semaphore_ == nullptr) [[unlikely]] {
      NothingToRelease(where);
    }
    std::exchange(semaphore_, nullptr)->GiveBack(count_);
  }
  // Does not give them back. Yields how many they were.
  int64_t Keep() {
    int64_t count = this->count();
    if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->held_ -= count;
    return count;
  }

 private:
  friend class Semaphore;
  Permit(Semaphore& semaphore, int64_t count) : semaphore_(&semaphore), count_(count) {}
  [[noreturn]] static void NothingToRelease(std::source_location where);

  Semaphore* semaphore_ = nullptr;
  int64_t count_ = 0;
};

class Semaphore::PendingAcquire : public Waiter {
 public:
  PendingAcquire(PromiseBase& promise, const Context& context, Semaphore& semaphore, int64_t count)
      : Waiter(promise, context), semaphore_(semaphore), count_(count) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    if (!semaphore_.Available(count_)) return WaitIn(semaphore_.waiters_);
    semaphore_.Take(count_);
    return Settle(kGranted);
  }
  Permit TakeValue() const { return Permit(semaphore_, count_); }
  absl::StatusOr<Permit> TakeResult() const {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
  std::string Describe() const final;

  int64_t count() const { return count_; }

 private:
  // It may have been the one whom the others waited for.
  void Withdrawn() final { semaphore_.GrantAllDue(); }

  Semaphore& semaphore_;
  int64_t count_;
};

struct [[nodiscard]] Semaphore::AcquireAwaitable {
  Semaphore& semaphore;
  int64_t count;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingAcquire, kTry>(promise, context, semaphore, count);
  }
};

inline auto Semaphore::Acquire(int64_t count) {
  CheckCount(count);
  return AcquireAwaitable{*this, count};
}

inline Permit Semaphore::TryAcquire(int64_t count) {
  CheckCount(count);
  if (!Available(count)) return Permit();
  Take(count);
  return Permit(*this, count);
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_SEMAPHORE_H_
