// SPDX-License-Identifier: Apache-2.0
#include "proactor/cancellation.h"

#include "proactor/log.h"
#include "proactor/task_record.h"

namespace proactor {

CancelScope::CancelScope(const Context& outer, Shielding shielding)
    : context_{outer.loop, this, outer.task}, parent_(outer.scope), shielding_(shielding) {
  parent_->children_.PushBack(*this);
  if (parent_->cancelled() && shielding_ == kOpen) cause_ = CancelCause::kParent;
}

CancelScope::CancelScope(Loop& loop) : context_{&loop, this, nullptr} {}

CancelScope::~CancelScope() {
  Check(tasks_.empty() && children_.empty(),
        "A CancelScope was destroyed while something still ran in it: await the scoped work before the scope ends.");
  ListNode<SiblingScopes>::Unlink();
}

void CancelScope::SetDeadline(MonotonicTime deadline) {
  if (!cancelled()) context_.loop->timers.Start(*this, deadline);
}

void CancelScope::SetTimeout(absl::Duration timeout) {
  SetDeadline(context_.loop->clock.Now() + timeout);
}

// Without recursion: scopes may be nested as deep as memory allows.
void CancelScope::CancelBecause(CancelCause cause) {
  if (cancelled()) return;
  cause_ = cause;
  CancelWaiting();
  for (CancelScope* scope = NextOpenBelow(*this); scope != nullptr; scope = scope->NextOpenBelow(*this)) {
    if (scope->cancelled()) continue;
    scope->cause_ = CancelCause::kParent;
    scope->CancelWaiting();
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
  for (TaskRecord* task = tasks_.front(); task != nullptr; task = tasks_.Next(*task)) cancel(*task);
}

CancelScope* CancelScope::NextOpenBelow(const CancelScope& root) {
  auto first_open = [](CancelScope* scope, IntrusiveList<CancelScope, SiblingScopes>& siblings) {
    while (scope != nullptr && scope->shielding_ == kShielded) scope = siblings.Next(*scope);
    return scope;
  };
  if (CancelScope* child = first_open(children_.front(), children_)) return child;
  for (CancelScope* scope = this; scope != &root; scope = scope->parent_) {
    IntrusiveList<CancelScope, SiblingScopes>& siblings = scope->parent_->children_;
    if (CancelScope* next = first_open(siblings.Next(*scope), siblings)) return next;
  }
  return nullptr;
}

}  // namespace proactor
