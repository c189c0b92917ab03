// SPDX-License-Identifier: Apache-2.0
//
// Operation<Op>: what a user awaits: a description of one request to the kernel. Nothing happens before it is awaited.
//
// An operation is a plain struct that keeps its three facts side by side. This one waits until a descriptor is
// readable:
//
//   struct WaitReadableOp {
//     static constexpr char kName[] = "poll";                          // for errors and dumps
//     static constexpr Readiness kReadiness = Readiness::kRead;
//     using Value = void;                                              // what a success yields
//     Descriptor* descriptor;
//     void Prepare(io_uring_sqe& entry) const;                         // 1. what it asks of io_uring
//     int Perform(System& system) const;                               // 2. what it does elsewhere, without blocking
//     void ToValue(int result) const {}   // 3. what a result >= 0 means; also for whom, with a PromiseBase&
//   };
//   Operation<WaitReadableOp> WaitReadable(Descriptor* d) { return MakeOperation(WaitReadableOp{d}); }
//
// It may also have
//     std::optional<int> Immediate() const;       a result known without asking anyone, such as -EINVAL
//     bool Advance(int& result);                  false: that was a part, prepare me again for the rest
//     bool NeedsPause(int result) const;          with Advance: true: not at once, the system is short of something
//     bool StandInLine(OperationBase&, int result) const;   with Advance: true: paused until somebody calls `EndPause`
//     std::optional<int> AtOnce(Loop& loop);      a result that has come already, if its scope is not cancelled
//     static constexpr bool kCloses = true;       it ends the descriptor, and others on it before (closing.h)
//     absl::Status ToStatus(absl::Status) const;  adds to a failure, such as how far it got
// and must be trivially destructible: it borrows what it points at, which is safe because no coroutine ends before it.
//
// Result: `absl::StatusOr<Value>`, or `absl::Status` if Value is void.
// Cancelled: `kCancelled`, with the reason if there is one, unless the result came first.
// Threads: the scheduler's of the coroutine that awaits it.
#ifndef PROACTOR_OPERATION_OPERATION_H_
#define PROACTOR_OPERATION_OPERATION_H_

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/cancellation.h"
#include "proactor/descriptor.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/operation/closing.h"
#include "proactor/operation/operation_base.h"
#include "proactor/promise.h"
#include "proactor/result.h"

namespace proactor {

// The operation once it is awaited: pinned in the coroutine's frame, which is what the kernel points at.
template <class Op>
class PendingOperation : public OperationBase {
 public:
  using Value = typename Op::Value;
  using Result = WithStatus<Value>;

  PendingOperation(PromiseBase& promise, const Context& context, Op op)
      : OperationBase(promise, context), op_(std::move(op)), pause_(*this), closing_(*this) {}

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
    if constexpr (requires { op_.AtOnce(*context_.loop); }) {
      if (std::optional<int> result = op_.AtOnce(*context_.loop)) return CompleteNow(*result);
    }
    if constexpr (kMayPause) pause_.Mark();
    return Submit(Slot()) || !IsOver() || CompleteNow(result_);
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
    absl::Status failure = Failure(Op::kName, Slot());
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

  void Prepare(io_uring_sqe& entry) final { op_.Prepare(entry); }
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
    if constexpr (Op::kReadiness == Readiness::kBlocking) {
      return nullptr;
    } else {
      return Op::kReadiness == Readiness::kRead ? &op_.descriptor->reading : &op_.descriptor->writing;
    }
  }

  Op op_;
  [[no_unique_address]] std::conditional_t<kMayPause, OperationPause, internal::NoPart<0>> pause_;
  [[no_unique_address]] std::conditional_t<kCloses, Closing, internal::NoPart<1>> closing_;
};

template <class Op>
class [[nodiscard]] Operation {
 public:
  static_assert(std::is_trivially_destructible_v<Op>, "An operation borrows; it owns nothing that needs a destructor");
  using Result = typename PendingOperation<Op>::Result;

  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return internal::LeafAwaiter<PendingOperation<Op>, kTry>(promise, context, std::move(op_));
  }

  // Only a proactor::Task passes on the context that an operation needs.
  template <class Self = Op>
  auto operator co_await() const {
    static_assert(!std::is_same_v<Self, Op>, "An Operation can be awaited in a proactor::Task only");
  }

 private:
  template <class MadeOp>
  friend Operation<MadeOp> MakeOperation(MadeOp op);
  explicit Operation(Op op) : op_(std::move(op)) {}

  Op op_;
};

// The one way to make an operation; called by the functions that users call, such as `TcpStream::Read`.
template <class Op>
Operation<Op> MakeOperation(Op op) {
  return Operation<Op>(std::move(op));
}

}  // namespace proactor

#endif  // PROACTOR_OPERATION_OPERATION_H_
