// SPDX-License-Identifier: Apache-2.0
//
// LeafAwaiter: the awaiter of everything that is not a coroutine: of a `Suspension` that can be waited for, a leaf of
// the chain of awaits.
//
//   struct SleepAwaitable {
//     template <bool kTry>
//     auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
//       return LeafAwaiter<PendingSleep, kTry>(promise, context, duration);
//     }
//     absl::Duration duration;
//   };
//
// It lives in the frame of the coroutine that waits, and adds nothing to the size of the leaf, which offers
//
//   bool Start();             starts to wait; false when the outcome is known
//   bool Waiting() const;     from a `Start` that said true until the suspension has been taken from the ready queue
//   bool StopWaiting();       called when it has been; false if the wait goes on
//   bool Failed() const;      about the outcome
//   Result TakeResult();      Status, StatusOr<T>, or with no failure possible anything
//   Status TakeFailure();     the same in two parts, for `Try`: what it is if `Failed`,
//   Value TakeValue();        and if not
// and a protected `promise_`, the coroutine that waits.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_LEAF_AWAITER_H_
#define PROACTOR_LEAF_AWAITER_H_

#include <coroutine>

#include "proactor/promise.h"
#include "proactor/ready_queue.h"

namespace proactor::internal {

template <class Leaf, bool kTry>
class LeafAwaiter final : public Leaf {
 public:
  using Leaf::Leaf;

  // Starting before the coroutine counts as suspended is sound: nothing resumes it but the ready queue.
  bool await_ready() {
    bool waits = Leaf::Start();
    if constexpr (kTry) return !waits && !Leaf::Failed();
    return !waits;
  }

  // Yields nothing: returning to the ready queue is one jump less than transferring control there.
  template <class P>
  void await_suspend(std::coroutine_handle<P>) {
    PromiseBase& promise = Leaf::promise_;
    if constexpr (kTry) {
      static_assert(P::kCarriesStatus, "Try needs a coroutine that returns absl::Status or absl::StatusOr<T>");
      if (!Leaf::Waiting()) return promise.context().loop->ready_queue.Continue(promise.Fail(Leaf::TakeFailure()));
    }
    promise.SetAwaiting(*this);
  }

  std::coroutine_handle<> Resume() override {
    if (!Leaf::StopWaiting()) return nullptr;
    Leaf::promise_.ClearAwaiting();
    if constexpr (kTry) {
      if (Leaf::Failed()) return Leaf::promise_.Fail(Leaf::TakeFailure());
    }
    return Leaf::promise_.handle();
  }

  auto await_resume() {
    if constexpr (kTry) {
      return Leaf::TakeValue();
    } else {
      return Leaf::TakeResult();
    }
  }
};

}  // namespace proactor::internal

#endif  // PROACTOR_LEAF_AWAITER_H_
