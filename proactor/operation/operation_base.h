// SPDX-License-Identifier: Apache-2.0
//
// OperationBase: all that a proactor sees of an operation in flight.
//
// An operation asks for something (`Prepare`, or `Perform`), gets a result, and may go back for more (`Advance`):
//
//   proactor.Submit(operation);                       // once, from the coroutine's await
//   if (!operation.Complete(result)) Resubmit(...);   // by the proactor, for each result
//
// The protocol between cancellation and completion:
//  1. A cancelled scope finds the operation that its task waits for, and calls `Cancel`.
//  2. From `Submit` to `Complete` the operation is in flight. `Cancel` marks one in flight and asks the proactor, once,
//     which must not lose the request, but need not succeed.
//  3. Only a result ends the operation. If it is a success, that is what the coroutine gets, cancelled or not.
//  4. From `Complete` on it is ready, and `Cancel` does nothing: nothing can cancel a finished operation.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_OPERATION_OPERATION_BASE_H_
#define PROACTOR_OPERATION_OPERATION_BASE_H_

#include <cstdint>

#include "proactor/context.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"

struct io_uring_sqe;

namespace proactor {

struct Descriptor;
class System;

// What has to become possible before `Perform` can succeed.
enum class Readiness : char {
  kRead,      // The descriptor is readable, or at its end. Takes the descriptor's read slot.
  kWrite,     // The descriptor is writable. Takes the write slot.
  kBlocking,  // Nothing to wait for, but the call may take its time: regular files and paths.
};

class OperationBase : public Suspension {
 private:
  static constexpr uint8_t kWaiting = 1;          // In flight, or ready and not yet resumed.
  static constexpr uint8_t kInFlight = 2;         // The proactor has it.
  static constexpr uint8_t kCancelRequested = 4;  // The scope was cancelled while it was in flight.
  // First, beside the two below, where it costs no padding: frames are made of operations.
  uint8_t state_ = 0;

 public:
  // Reserved for the proactor that has the operation in flight.
  uint8_t backend_state = 0;
  uint16_t generation = 0;

 protected:
  int result_ = 0;

 public:
  // io_uring: describes the request, in an entry that is all zero. May be called again after `Advance` said so.
  virtual void Prepare(io_uring_sqe& entry) = 0;

  // Elsewhere: makes the call. Yields its result, -errno, or -EAGAIN when it has to wait for `readiness`.
  virtual int Perform(System& system) = 0;

  virtual Readiness readiness() const = 0;
  virtual Descriptor* descriptor() const = 0;

  // Takes a result or -errno. True: the operation is over, and on the ready queue. False: submit it again.
  bool Complete(int result);

  bool cancel_requested() const { return (state_ & kCancelRequested) != 0; }

  void Cancel() final;
  const CancelScope* scope() const final { return context_.scope; }

 protected:
  OperationBase(PromiseBase& promise, const Context& context) : promise_(promise), context_(context) {}
  ~OperationBase() {
    if (Waiting()) [[unlikely]] {
      DestroyedInFlight();
    }
  }

  // Looks at a result. False: it was a part, or a failure that is nobody's fault; ask again, unless cancelled. True:
  // the operation is over, and has given back the descriptor's slot.
  virtual bool Advance(int& result) = 0;
  // Gives the slot back without a result.
  virtual void GiveUp() = 0;

  // The operation is about to be handed to the proactor.
  void Begin() {
    state_ = kWaiting | kInFlight;
    context_.loop->counters.operations.Add();
  }
  // Settles the result without asking the proactor. False when the coroutine need not suspend.
  bool CompleteNow(int result);

  bool Waiting() const { return (state_ & kWaiting) != 0; }
  void StopWaiting() { state_ &= ~kWaiting; }

  // Takes the descriptor's slot for what this operation does, or ends the process if it is taken.
  void Claim(OperationBase*& slot) {
    if (slot != nullptr) [[unlikely]] {
      SlotTaken(*slot);
    }
    slot = this;
  }

  PromiseBase& promise_;
  const Context& context_;

 private:
  [[noreturn]] void DestroyedInFlight() const;
  [[noreturn]] void SlotTaken(const OperationBase& other) const;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_OPERATION_BASE_H_
