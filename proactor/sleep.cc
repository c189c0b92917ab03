// SPDX-License-Identifier: Apache-2.0
#include "proactor/sleep.h"

#include "absl/strings/str_cat.h"
#include "proactor/cancellation.h"
#include "proactor/log.h"

namespace proactor::internal {

PendingSleep::~PendingSleep() {
  Check(!waiting_, [&] {
    return absl::StrCat("The coroutine ", DescribeCoroutine(promise_),
                        " was destroyed while it sleeps: cancel its scope and await its end instead.");
  });
}

bool PendingSleep::Start() {
  ReadyQueue& ready_queue = context_.loop->ready_queue;
  cancelled_ = context_.scope->cancelled();
  if (cancelled_ && ready_queue.TakeInlineCompletion()) return false;
  waiting_ = true;
  if (cancelled_ || deadline_ == MonotonicTime::Past()) {
    ready_queue.Push(*this);
  } else {
    context_.loop->timers.Start(*this, deadline_);
  }
  return true;
}

void PendingSleep::Fire() { context_.loop->ready_queue.Push(*this); }

void PendingSleep::Cancel() {
  if (!Timer::active()) return;  // It has fired.
  cancelled_ = true;
  Timer::Stop();
  context_.loop->ready_queue.Push(*this);
}

absl::Status PendingSleep::TakeResult() const {
  return cancelled_ ? context_.scope->Failure("sleep") : absl::OkStatus();
}

std::string PendingSleep::Describe() const {
  if (!Timer::active()) return "its turn after a sleep";
  return absl::StrCat("sleep for another ", absl::FormatDuration(deadline_ - context_.loop->clock.Now()));
}

}  // namespace proactor::internal
