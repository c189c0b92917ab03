// SPDX-License-Identifier: Apache-2.0
//
// Yield: lets everybody else go first, once.
//
//   for (Block& block : blocks) {
//     Compress(block);
//     co_await Try(Yield());
//   }
//
// Goes on behind everything that is ready, and everything that a look at timers, I/O and other threads then makes
// ready: once around the loop. For long computations; a coroutine that awaits operations or children has no need of it,
// as the loop interrupts it by itself (the budget in ready_queue.h). `Sleep` of zero does less: it lets what is ready
// go first, without a look at I/O.
//
// Result: OK. Cancelled: `kCancelled`, at once, if the scope is cancelled when it is awaited. Threads: the scheduler's.
#ifndef PROACTOR_YIELD_H_
#define PROACTOR_YIELD_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"

namespace proactor {
namespace internal {

class PendingYield : public Suspension {
 public:
  PendingYield(PromiseBase& promise, const Context& context) : promise_(promise), context_(context) {}
  ~PendingYield() {
    Check(!waiting_, [&] {
      return absl::StrCat("The coroutine ", DescribeCoroutine(promise_),
                          " was destroyed while it waits for its turn: await its end instead.");
    });
  }

  bool Start() {
    ReadyQueue& ready_queue = context_.loop->ready_queue;
    cancelled_ = context_.scope->cancelled();
    if (cancelled_ && ready_queue.TakeInlineCompletion()) return false;
    waiting_ = true;
    ready_queue.PushBehindInputAndOutput(*this);
    return true;
  }
  bool Waiting() const { return waiting_; }
  bool StopWaiting() {
    waiting_ = false;
    return true;
  }
  bool Failed() const { return cancelled_; }
  absl::Status TakeResult() const {
    return cancelled_ ? context_.scope->Failure("yield") : absl::OkStatus();
  }
  absl::Status TakeFailure() const { return TakeResult(); }
  void TakeValue() const {}

  void Cancel() final {}  // It goes on soon anyhow.
  const CancelScope* scope() const final { return context_.scope; }
  std::string Describe() const final { return "its turn, behind everybody else"; }

 protected:
  PromiseBase& promise_;

 private:
  const Context& context_;
  bool waiting_ = false;  // From `Start` until it has been resumed.
  bool cancelled_ = false;
};

struct [[nodiscard]] YieldAwaitable {
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return LeafAwaiter<PendingYield, kTry>(promise, context);
  }
};

}  // namespace internal

inline internal::YieldAwaitable Yield() { return {}; }

}  // namespace proactor

#endif  // PROACTOR_YIELD_H_
