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
//     bool HasResult(Loop& loop);                 with Advance: true: one has come already, which it takes from -EINTR
//     static constexpr bool kCloses = true;       it ends the descriptor, and others on it before (closing.h)
//     absl::Status ToStatus(absl::Status) const;  adds to a failure, such as how far it got
// and must be trivially destructible: it borrows what it points at, which is safe because no coroutine ends before it.
// Of the flags of an entry it may set IOSQE_ASYNC: links and IOSQE_IO_DRAIN would hold up the entries of others.
//
// Result: `absl::StatusOr<Value>`, or `absl::Status` if Value is void.
// Cancelled: `kCancelled`, with the reason if there is one, unless the result came first.
// Threads: the scheduler's of the coroutine that awaits it.
#ifndef PROACTOR_OPERATION_OPERATION_H_
#define PROACTOR_OPERATION_OPERATION_H_

#include <type_traits>
#include <utility>

#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/operation/pending_operation.h"
#include "proactor/promise.h"

namespace proactor {

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
