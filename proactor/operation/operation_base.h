// SPDX-License-Identifier: Apache-2.0
//
// OperationBase: all that a proactor sees of an operation in flight.
//
//   proactor.Submit(operation);     // by the operation, when its coroutine awaits it
//   operation.Complete(result);     // by the proactor, for each time that it was submitted, in some later `Wait`
//
// A proactor that has the result before `Submit` returns says so by `CompleteAtOnce`; the coroutine then goes on
// without having been suspended, unless it has done so too often in a row.
//
// The protocol between cancellation and completion:
//  1. A cancelled scope finds the operation that its task waits for, and calls `Cancel`.
//  2. From `Submit` to `Complete` the operation is in flight. `Cancel` marks one in flight and asks the proactor, once
//     (and `Interrupt` may have before), which must not lose the request, but need not succeed.
//  3. Only a result ends the operation. If it is a success, that is what the coroutine gets, cancelled or not.
//  4. From `Complete` on it is ready, and `Cancel` does nothing: nothing can cancel a finished operation.
//  5. When its turn comes on the ready queue, it looks at the result. It may be a part (some of the bytes, EINTR): then
//     it is submitted again for the rest, unless its scope was cancelled, which then ends it.
//  6. Or the system may be short of what it needs: then it waits before it is submitted again (pause.h). `Cancel` ends
//     an operation that waits so: nobody else has it.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_OPERATION_OPERATION_BASE_H_
#define PROACTOR_OPERATION_OPERATION_BASE_H_

#include <cerrno>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "proactor/context.h"
#include "proactor/pause.h"
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

// An opcode that no kernel has, for an operation that is only performed.
inline constexpr uint8_t kNoOpcode = 255;

class OperationBase : public Suspension {
 private:
  static constexpr uint8_t kWaiting = 1;          // In flight, or ready and not yet resumed.
  static constexpr uint8_t kInFlight = 2;         // The proactor has it.
  static constexpr uint8_t kCancelRequested = 4;  // The scope was cancelled while it was in flight.
  static constexpr uint8_t kSettled = 8;          // The result came from `CompleteNow`: nobody was asked.
  static constexpr uint8_t kPaused = 16;          // Waits to be submitted again.
  static constexpr uint8_t kCloses = 32;          // Has both slots of its descriptor (closing.h).
  static constexpr uint8_t kDisplaced = 64;       // One that closes its descriptor has its slot.
  // First, beside the two below, where it costs no padding: frames are made of operations.
  uint8_t state_ = 0;

 public:
  // Reserved for the proactor that has the operation in flight.
  uint8_t backend_state = 0;
  uint16_t generation = 0;
  // So is this, where the result will be.
  int place() const { return result_; }
  void set_place(int place) { result_ = place; }

 protected:
  int result_ = 0;

 public:
  // io_uring: describes the request, in an entry that is all zero. Called again for the rest.
  virtual void Prepare(io_uring_sqe& entry) = 0;

  // Elsewhere: makes the call. Yields its result, -errno, or -EAGAIN when it has to wait for `readiness`.
  virtual int Perform(System& system) = 0;

  virtual Readiness readiness() const = 0;
  virtual Descriptor* descriptor() const = 0;

  // Takes a result or -errno, in `Proactor::Submit`.
  void CompleteAtOnce(int result) {
    result_ = result;
    state_ &= ~kInFlight;
  }

  // Takes a result or -errno: the operation is on the ready queue.
  void Complete(int result) { Complete(result, context_.loop->ready_queue); }

  // The same for one of a batch, which is to be appended to the ready queue as a whole.
  void Complete(int result, SuspensionQueue& completed) {
    __builtin_prefetch(&promise_);  // What the resumption touches first.
    __builtin_prefetch(&context_);
    result_ = result;
    state_ &= ~kInFlight;
    completed.Push(*this);
  }

  // In `Proactor::Submit`: stays in flight, and is submitted again behind all that is ready now.
  void Defer() {
    result_ = -EINTR;
    context_.loop->ready_queue.Push(*this);
  }

  // Ends a pause, with what the operation finds when its turn comes: -EINTR to ask again.
  void EndPause(int result) {
    if ((state_ & kPaused) == 0) return;
    state_ &= ~kPaused;
    Complete(result);
  }

  // Waits for `EndPause`, whose caller knows of it. Its scope may be cancelled only where it cannot be helped.
  void BeginPause() { state_ = (state_ & (kCloses | kDisplaced | kCancelRequested)) | kWaiting | kPaused; }
  bool MayPause() const;

  // For an operation that then asks again by itself: has the proactor end it, if it is in flight. The result is
  // -ECANCELED, unless another comes first.
  void Interrupt();

  Loop& loop() const { return *context_.loop; }
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

  // Takes the descriptor's slot for what this operation does, if there is one, and hands the operation to the proactor.
  // Ends the process if another operation has the slot, unless that closes: then the result is EBADF, as afterwards.
  // False when there is a result already.
  bool Submit(OperationBase** slot);
  // The same for the rest, after a part. A cancelled scope is a result, too.
  bool SubmitAgain();
  // Waits before `SubmitAgain`, because of what the result says. False where there is nothing to wait for: its scope
  // was cancelled, or things have changed since.
  bool BeginPause(Pause& pause);
  bool paused() const { return (state_ & kPaused) != 0; }
  // For one whose result has come already: takes the slot as above, and the result when its turn comes. False: now.
  bool TakeTurn(OperationBase** slot);
  // With a result, and still with its slot: whether it waits for its turn, because too many did not.
  bool WaitForTurn();
  // Settles the result without asking the proactor. False when the coroutine need not suspend.
  bool CompleteNow(int result);
  // The coroutine goes on.
  void End(OperationBase** slot) {
    state_ = 0;
    if (slot != nullptr) *slot = nullptr;
    context_.loop->counters.completions.Add();
  }

  // What a result below zero means; `closed`: the descriptor is being closed.
  absl::Status Failure(const char* name, bool closed) const;
  // What is waited for, in words.
  std::string Description(const char* name, const int* descriptor_number) const;

  bool Waiting() const { return (state_ & kWaiting) != 0; }
  // Whether to look at more than the result, when its turn comes.
  bool Unusual() const { return (state_ & (kSettled | kCloses | kDisplaced)) != 0; }
  // Whether the coroutine waits for a result that `CompleteNow` settled; from here on it does not.
  bool TakeSettled() {
    if ((state_ & kSettled) == 0) return false;
    state_ = 0;
    return true;
  }

  PromiseBase& promise_;
  const Context& context_;

 private:
  friend class Closing;
  friend class Sharing;

  [[noreturn]] void DestroyedInFlight() const;
  void SlotTaken(const OperationBase& other);
};

// The pause of an operation that the system had too little for.
class OperationPause final : public Pause {
 public:
  explicit OperationPause(OperationBase& operation) : operation_(operation) {}
  void TryAgain() override { operation_.EndPause(-EINTR); }

 private:
  OperationBase& operation_;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_OPERATION_BASE_H_
