// SPDX-License-Identifier: Apache-2.0
//
// ModelAtomic and ModelEvent: stand in for std::atomic and an eventfd in what ExploreInterleavings runs.
//
//   std::optional<BasicRemoteQueue<ModelAtomic>> queue_;   // made anew in ConcurrentProgram::Reset
//
// Each access is a step. Outside of an exploration, and while an execution is being wound up, it is just made.
#ifndef PROACTOR_TESTS_SUPPORT_MODEL_ATOMIC_H_
#define PROACTOR_TESTS_SUPPORT_MODEL_ATOMIC_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "tests/support/interleavings.h"

namespace proactor {
namespace internal {

enum class AccessKind { kPlain, kWeakCompareExchange, kWait };

// What participants share, and the search must know.
class Shared {
 public:
  Shared(const Shared&) = delete;
  virtual uint64_t StateValue() const = 0;
  // What a reader that acquires will see of each participant.
  std::array<uint8_t, kMostParticipants> clock = {};

 protected:
  Shared();
  ~Shared();

  // Waits for the turn of an access. True: it goes wrong, for no reason.
  bool Step(const char* name, AccessKind kind = AccessKind::kPlain, uint64_t expected = 0);
  // Ends the access, with all that its participant learns by it.
  void Observe(uint64_t value, bool succeeded = true);

  void AcquireIf(std::memory_order order);
  // A store begins a new history of the word; a read-modify-write continues the one that is there.
  void ReleaseIf(std::memory_order order, bool continues);
};

}  // namespace internal

// A std::atomic whose every access is a step.
template <class T>
class ModelAtomic : public internal::Shared {
  static_assert(sizeof(T) <= sizeof(uint64_t));

 public:
  explicit ModelAtomic(T value = T()) : value_(value) {}

  T load(std::memory_order order = std::memory_order_seq_cst) {
    Step("load");
    AcquireIf(order);
    Observe(Number(value_));
    return value_;
  }

  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    Step("store");
    value_ = value;
    ReleaseIf(order, /*continues=*/false);
    Observe(Number(value_));
  }

  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
    Step("exchange");
    T old = value_;
    AcquireIf(order);
    value_ = value;
    ReleaseIf(order, /*continues=*/true);
    Observe(Number(old));
    return old;
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success = std::memory_order_seq_cst,
                               std::memory_order failure = std::memory_order_seq_cst) {
    return CompareExchange(Step("compare_exchange_strong"), expected, desired, success, failure);
  }

  bool compare_exchange_weak(T& expected, T desired, std::memory_order success = std::memory_order_seq_cst,
                             std::memory_order failure = std::memory_order_seq_cst) {
    return CompareExchange(Step("compare_exchange_weak", internal::AccessKind::kWeakCompareExchange, Number(expected)),
                           expected, desired, success, failure);
  }

  uint64_t StateValue() const override { return Number(value_); }

 private:
  static uint64_t Number(T value) { return static_cast<uint64_t>(value); }

  bool CompareExchange(bool fails, T& expected, T desired, std::memory_order success, std::memory_order failure) {
    bool succeeds = !fails && value_ == expected;
    if (succeeds) {
      AcquireIf(success);
      value_ = desired;
      ReleaseIf(success, /*continues=*/true);
    } else {
      AcquireIf(failure);
      expected = value_;
    }
    Observe(succeeds ? Number(desired) : Number(expected), succeeds);
    return succeeds;
  }

  T value_;
};

// An eventfd: counts signals, and a wait takes them all. It is no substitute for memory orders.
class ModelEvent final : public internal::Shared {
 public:
  void Signal();
  // Until there is a signal; may return early.
  void Wait();
  // Takes the signals that are there, if any.
  void Drain();

  uint64_t StateValue() const override { return signals_; }

 private:
  uint64_t signals_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_MODEL_ATOMIC_H_
