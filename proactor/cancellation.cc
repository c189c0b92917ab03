// SPDX-License-Identifier: Apache-2.0
#include "proactor/cancellation.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "proactor/errors.h"
#include "proactor/log.h"
#include "proactor/task_record.h"

namespace proactor {

CancelScope::CancelScope(const Context& outer, Exposure exposure)
    : context_{outer.loop, this, outer.task, outer.locals},
      parent_(outer.scope),
      exposure_(exposure),
      stopping_(outer.scope->stopping_) {
  parent_->children_.PushBack(*this);
  if (parent_->cancelled() && exposure_ != kShielded) {
    cause_ = CancelCause::kParent;
  } else if (stopping_ && exposure_ == kUntilStopping) {
    cause_ = CancelCause::kStopping;
  }
}

CancelScope::CancelScope(Loop& loop) : context_{&loop, this, nullptr, nullptr} {}

CancelScope::~CancelScope() {
  Check(tasks_.empty() && children_.empty(),
        "A CancelScope was destroyed while something still ran in it: await the scoped work before the scope ends.");
  ListNode<SiblingScopes>::Unlink();
}

CancelScope::Details& CancelScope::details() {
  if (details_ == nullptr) details_.reset(new Details);
  return *details_;
}

void CancelScope::EndDetails::operator()(Details* details) const {
  if (details->watcher != nullptr) details->watcher->ScopeEnds();
  delete details;
}

void CancelScope::SetDeadline(MonotonicTime deadline) {
  if (!cancelled()) context_.loop->timers.Start(*this, deadline);
}

void CancelScope::SetTimeout(absl::Duration timeout) {
  if (!cancelled()) context_.loop->timers.StartAfter(*this, timeout);
}

MonotonicTime CancelScope::deadline() const {
  if (cancelled()) return MonotonicTime::Past();
  const MonotonicTime now = context_.loop->clock.Now();
  MonotonicTime earliest = MonotonicTime::Infinite();
  for (const CancelScope* scope = this; scope != nullptr; scope = scope->parent_) {
    if (scope->Timer::active()) earliest = std::min(earliest, scope->Timer::deadline(now));
    if (scope->exposure_ == kShielded) break;
  }
  return earliest;
}

// A scope is cancelled with its parent after that was, or at its own beginning: the parent's cause is known, and stays.
const CancelScope* CancelScope::cancelled_by() const {
  if (!cancelled()) return nullptr;
  const CancelScope* scope = this;
  while (scope->cause_ == CancelCause::kParent) scope = scope->parent_;
  return scope;
}

std::string_view CancelScope::reason() const {
  const CancelScope* scope = cancelled_by();
  if (scope == nullptr) return "";
  if (scope->cause_ == CancelCause::kDeadline) return "its time is over";
  if (scope->cause_ == CancelCause::kStopping) return "stopping";
  return scope->details_ != nullptr ? std::string_view(scope->details_->reason) : "";
}

absl::Status CancelScope::Failure(std::string_view what, std::string_view reason) {
  absl::Status plain = ErrnoToStatus(ECANCELED, what);
  if (reason.empty()) return plain;
  absl::Status failure(plain.code(), absl::StrCat(plain.message(), " (", std::string(reason), ")"));
  plain.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) { failure.SetPayload(type, payload); });
  return failure;
}

void CancelScope::CheckThread() const {
  context_.loop->thread.Check("A CancelScope", "make a Canceller for other threads");
}

void CancelScope::Cancel(std::string_view reason) {
  CheckThread();
  if (cancelled()) return;
  if (!reason.empty()) details().reason = reason;
  CancelBecause(CancelCause::kRequested);
}

// Without recursion: scopes may be nested as deep as memory allows.
void CancelScope::CancelBecause(CancelCause cause) {
  bool inside = true;
  for (CancelScope* scope = this; scope != nullptr; scope = scope->NextBelow(*this, inside)) {
    bool reached = scope == this || scope->exposure_ != kShielded;
    if (!reached) scope->OuterCancelled();
    // Below one that was cancelled before, all were.
    inside = reached && !scope->cancelled();
    if (!inside) continue;
    scope->cause_ = scope == this ? cause : CancelCause::kParent;
    scope->CancelWaiting();
    scope->Cancelled();
  }
}

void CancelScope::StopSoon() {
  CheckThread();
  bool inside = true;
  for (CancelScope* scope = this; scope != nullptr; scope = scope->NextBelow(*this, inside)) {
    inside = !scope->stopping_;
    scope->stopping_ = true;
    if (inside && scope->exposure_ == kUntilStopping) scope->CancelBecause(CancelCause::kStopping);
  }
}

// What waits in this scope, rather than in one inside it: of the task that made the scope, and of those spawned in it.
void CancelScope::CancelWaiting() {
  Timer::Stop();
  auto cancel = [this](const TaskRecord& task) {
    Suspension* suspension = task.waiting();
    if (suspension != nullptr && suspension->scope() == this) suspension->Cancel();
  };
  if (context_.task != nullptr) cancel(*context_.task);
  // Cancelling only pushes to the ready queue, or asks the proactor: the list stays as it is.
  for (TaskRecord* task = tasks_.front(); task != nullptr; task = tasks_.Next(*task)) {
    // Of many tasks, most have left the caches: the record after the next, and the frame of the next.
    if (TaskRecord* next = tasks_.Next(*task)) {
      __builtin_prefetch(&next->root());
      if (TaskRecord* after = tasks_.Next(*next)) __builtin_prefetch(after);
    }
    cancel(*task);
  }
}

CancelScope* CancelScope::NextBelow(const CancelScope& root, bool inside) {
  if (CancelScope* child = inside ? children_.front() : nullptr) return child;
  for (CancelScope* scope = this; scope != &root; scope = scope->parent_) {
    if (CancelScope* next = scope->parent_->children_.Next(*scope)) return next;
  }
  return nullptr;
}

}  // namespace proactor
