// SPDX-License-Identifier: Apache-2.0
//
// PendingOperation<Op>: an operation once it is awaited. It is what the kernel points at, pinned in the frame of the
// coroutine that waits.
//
//   internal::LeafAwaiter<PendingOperation<ReadOp>, kTry> awaiter(promise, context, op);   // by operation.h
//
// It takes an operation's struct through the protocol of operation_base.h: asks the optional parts that the struct has,
// submits it, again for the rest after a part, and makes a value of its result. It holds a slot of the descriptor, or a
// share of it, from before it is submitted until its end (closing.h).
//
// Threads: the scheduler's only.
#ifndef PROACTOR_OPERATION_PENDING_OPERATION_H_
#define PROACTOR_OPERATION_PENDING_OPERATION_H_

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/cancellation.h"
#include "proactor/descriptor.h"
#include "proactor/operation/closing.h"
#include "proactor/operation/operation_base.h"
#include "proactor/operation/registered_file.h"
#include "proactor/promise.h"
#include "proactor/result.h"

namespace proactor {

template <class Op>
class PendingOperation : public OperationBase {
 public:
  using Value = typename Op::Value;
  using Result = WithStatus<Value>;

  PendingOperation(PromiseBase& promise, const Context& context, Op op)
      : OperationBase(promise, context), op_(std::move(op)), pause_(*this), closing_(*this), sharing_(*this) {}

  bool Start() {
    if constexpr (requires { op_.Immediate(); }) {
      if (std::optional<int> result = op_.Immediate()) [[unlikely]] {
        return CompleteNow(*result);
      }
    }
    if (context_.scope->cancelled()) [[unlikely]] {
      return CompleteNow(-ECANCELED);
    }
    if constexpr (kCloses) return closing_.Begin(*op_.descriptor) || !IsOver() || CompleteNow(result_);
    if constexpr (kMayPause) pause_.Mark();
    if constexpr (requires { op_.HasResult(*context_.loop); }) {
      if (op_.HasResult(*context_.loop)) return TakeTurn(Slot()) || !IsOver();
    }
    if constexpr (kShares) {
      if (!sharing_.Begin(Shared(), Slot())) return true;  // Its turn comes, with the result.
    }
    return Submit(Slot()) || WaitForTurn() || !IsOver();
  }

  bool StopWaiting() { return Unusual() ? StopUnusualWaiting() : IsOver(); }

  using OperationBase::Waiting;
  bool Failed() const { return result_ < 0; }

  Result TakeResult() {
    if (result_ < 0) [[unlikely]] {
      return TakeFailure();
    }
    if constexpr (!std::is_void_v<Value>) {
      return TakeValue();
    } else {
      TakeValue();
      return absl::OkStatus();
    }
  }
  [[gnu::noinline, gnu::cold]] absl::Status TakeFailure() {
    absl::Status failure = Failure(Op::kName, IsClosed());
    if constexpr (requires { op_.ToStatus(failure); }) return op_.ToStatus(std::move(failure));
    return failure;
  }
  Value TakeValue() {
    if constexpr (requires { op_.ToValue(result_, promise_); }) {
      return op_.ToValue(result_, promise_);
    } else {
      return op_.ToValue(result_);
    }
  }

  void Prepare(io_uring_sqe& entry) final {
    op_.Prepare(entry);
    if constexpr (kHasSlot) {
      const Multishot* multishot = op_.descriptor->multishot;
      if (multishot != nullptr) NameRegisteredFile(*multishot, *context_.loop, entry);
    }
  }
  int Perform(System& system) final { return op_.Perform(system); }
  Readiness readiness() const final { return Op::kReadiness; }
  Descriptor* descriptor() const final {
    if constexpr (requires { op_.descriptor; }) return op_.descriptor;
    return nullptr;
  }
  std::string Describe() const final {
    return Description(Op::kName, descriptor() != nullptr ? &descriptor()->number : nullptr);
  }

 private:
  static constexpr bool kMayPause = requires(const Op op) { op.NeedsPause(0); };
  static constexpr bool kCloses = requires { Op::kCloses; };
  static constexpr bool kHasSlot = Op::kReadiness != Readiness::kBlocking;
  static constexpr bool kHasInput = requires(Op op) { op.input; };
  static constexpr bool kShares =
      kHasInput || (Op::kReadiness == Readiness::kBlocking && !kCloses && requires(Op op) { op.descriptor; });

  // Looks at a result. False: it was a part, and the rest is in flight, or will be after a pause.
  [[gnu::noinline]] bool IsOver() {
    if constexpr (kMayPause) pause_.End();
    while (IsPart()) {
      if constexpr (kMayPause) {
        if (op_.NeedsPause(result_) && BeginPause(pause_)) return false;
        pause_.Mark();
      }
      if constexpr (requires { op_.StandInLine(*this, result_); }) {
        if (op_.StandInLine(*this, result_)) return false;
      }
      if (SubmitAgain()) return false;
    }
    if constexpr (kCloses) closing_.End(*op_.descriptor);
    if constexpr (!kCloses) End(Slot());
    if constexpr (kShares) sharing_.End(Shared());
    return true;
  }

  [[gnu::noinline, gnu::cold]] bool StopUnusualWaiting() {
    if (TakeSettled()) return true;
    if constexpr (kCloses) return !closing_.GoOn() && IsOver();
    return Closing::MakeRoom(Slot(), [this] { return IsOver(); });
  }

  // Whether the result is a part, or a failure that is nobody's fault.
  bool IsPart() {
    bool whole = true;
    if constexpr (requires { op_.Advance(result_); }) whole = op_.Advance(result_);
    return !whole || result_ == -EINTR;
  }

  // The descriptor's slot that this operation has until its coroutine goes on, if any.
  OperationBase** Slot() const {
    if constexpr (kHasSlot) {
      return Op::kReadiness == Readiness::kRead ? &op_.descriptor->reading : &op_.descriptor->writing;
    } else {
      return nullptr;
    }
  }

  // The descriptor that this operation needs no slot of, if there is one.
  Descriptor& Shared() const {
    if constexpr (kHasInput) return *op_.input;
    if constexpr (!kHasInput) return *op_.descriptor;
  }

  // Whether the descriptor, or either of them, is being closed.
  bool IsClosed() const {
    if constexpr (kShares) {
      if (Closing::Of(Shared()) != nullptr) return true;
    }
    return descriptor() != nullptr && Closing::Of(*descriptor()) != nullptr;
  }

  Op op_;
  [[no_unique_address]] std::conditional_t<kMayPause, OperationPause, internal::NoPart<0>> pause_;
  [[no_unique_address]] std::conditional_t<kCloses, Closing, internal::NoPart<1>> closing_;
  [[no_unique_address]] std::conditional_t<kShares, Sharing, internal::NoPart<2>> sharing_;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_PENDING_OPERATION_H_
