// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/operation_base.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "proactor/cancellation.h"
#include "proactor/errors.h"
#include "proactor/log.h"
#include "proactor/proactor.h"

namespace proactor {

// The virtual parts are gone by now; the coroutine still knows where it was.
void OperationBase::DestroyedInFlight() const {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(promise_),
                           " was destroyed while an operation that it awaits was in flight, and the kernel may still "
                           "use its memory: cancel its scope and await its end instead."));
}

void OperationBase::SlotTaken(const OperationBase& other) {
  Check((other.state_ & kCloses) != 0, [&] {
    return absl::StrCat("The coroutine ", DescribeCoroutine(promise_), " started a ", Describe(), " while ",
                        DescribeCoroutine(other.promise_), " has a ", other.Describe(),
                        " in flight: one reader and one writer at a time.");
  });
  result_ = -EBADF;
  state_ = kWaiting | kSettled;
  context_.loop->ready_queue.Push(*this);
}

bool OperationBase::Submit(OperationBase** slot) {
  if (slot != nullptr) {
    if (*slot != nullptr) [[unlikely]] {
      SlotTaken(**slot);
      return true;
    }
    *slot = this;
  }
  state_ = kWaiting | kInFlight;
  Loop& loop = *context_.loop;
  loop.counters.operations.Add();
  loop.proactor.Submit(*this);
  return (state_ & kInFlight) != 0;
}

bool OperationBase::TakeTurn(OperationBase** slot) {
  if (*slot != nullptr) [[unlikely]] {
    SlotTaken(**slot);
    return true;
  }
  *slot = this;
  result_ = -EINTR;
  context_.loop->counters.operations.Add();
  return WaitForTurn();
}

bool OperationBase::WaitForTurn() {
  state_ = kWaiting;
  ReadyQueue& ready_queue = context_.loop->ready_queue;
  if (ready_queue.TakeInlineCompletion()) return false;
  ready_queue.Push(*this);
  return true;
}

bool OperationBase::SubmitAgain() {
  if (context_.scope->cancelled() || cancel_requested()) {
    result_ = -ECANCELED;
    return false;
  }
  state_ = kWaiting | kInFlight;
  Loop& loop = *context_.loop;
  loop.counters.resubmissions.Add();
  loop.proactor.Submit(*this);
  if ((state_ & kInFlight) != 0) return true;
  // A result at once, which may be another part, or another interruption: not for ever while others wait.
  return WaitForTurn();
}

bool OperationBase::MayPause() const { return !context_.scope->cancelled() && !cancel_requested(); }

bool OperationBase::BeginPause(Pause& pause) {
  Loop& loop = *context_.loop;
  if (!MayPause() || !pause.Begin(loop)) return false;
  loop.counters.accepts_parked.Add();
  if (loop.MayComplain()) {
    Log(LogSeverity::kWarning,
        absl::StrCat(ErrnoToStatus(-result_, Describe()).message(), "; it goes on when that has changed"));
  }
  BeginPause();
  return true;
}

bool OperationBase::CompleteNow(int result) {
  result_ = result;
  ReadyQueue& ready_queue = context_.loop->ready_queue;
  if (ready_queue.TakeInlineCompletion()) return false;
  state_ = kWaiting | kSettled;
  ready_queue.Push(*this);
  return true;
}

absl::Status OperationBase::Failure(const char* name, bool closed) const {
  if (result_ != -ECANCELED) return ErrnoToStatus(-result_, name);
  bool displaced = closed && !context_.scope->cancelled();
  return displaced ? CancelScope::Failure(name, "its descriptor is closed") : context_.scope->Failure(name);
}

std::string OperationBase::Description(const char* name, const int* descriptor_number) const {
  std::string text = name;
  if (descriptor_number != nullptr) absl::StrAppend(&text, " on descriptor ", *descriptor_number);
  if (paused()) absl::StrAppend(&text, ", until there is what it needs");
  if (cancel_requested()) absl::StrAppend(&text, ", which was asked to end");
  return text;
}

void OperationBase::Interrupt() {
  if ((state_ & (kInFlight | kCancelRequested)) == kInFlight) context_.loop->proactor.Cancel(*this);
}

void OperationBase::Cancel() {
  if (paused()) return EndPause(-ECANCELED);
  if ((state_ & (kInFlight | kCancelRequested)) != kInFlight) return;
  state_ |= kCancelRequested;
  context_.loop->proactor.Cancel(*this);
}

}  // namespace proactor
