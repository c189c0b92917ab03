// SPDX-License-Identifier: Apache-2.0
//
// Starting: what a child that is being started and its starter share, until the child is ready or has ended.
//
//   Starting<int> starting(co_await CurrentContext());    // In the starter's frame.
//   group.Spawn(RunStarted(body, starting));
//   co_await starting.Wait();
//   absl::StatusOr<int> value = starting.TakeResult();
//
// The protocol of StartAndWaitReady (ready.h):
//  1. The child runs in a scope of its own, which it tells to `Begin`. It then calls `Succeed` or `Fail`, once, and
//     does not touch this afterwards: the starter's frame may be gone.
//  2. The starter waits until the child has done so, whatever happens: its own cancellation is passed on to the child's
//     scope, and remembered if there is none yet.
//
// Threads: the scheduler's.
#ifndef PROACTOR_STARTING_H_
#define PROACTOR_STARTING_H_

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/branch.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/promise.h"
#include "proactor/ready_queue.h"
#include "proactor/result.h"

namespace proactor::internal {

template <class T>
class Starting {
 public:
  explicit Starting(const Context& context) : context_(context) {}

  // The child's side. The scope is its own.
  void Begin(CancelScope& child) {
    child_ = &child;
    if (cancelled_) child.Cancel(kReason);
  }
  void Succeed(Settled<T> value) {
    value_.emplace(std::move(value));
    WakeStarter();
  }
  void Fail(absl::Status failure) {
    failure_ = failure.ok() ? absl::FailedPreconditionError("the child ended before it was ready") : std::move(failure);
    WakeStarter();
  }

  // The starter's side.
  auto Wait();
  WithStatus<T> TakeResult() {
    if (!value_.has_value()) return std::move(failure_);
    if constexpr (std::is_void_v<T>) {
      return absl::OkStatus();
    } else {
      return *std::move(value_);
    }
  }

 private:
  static constexpr const char* kReason = "its start was cancelled";
  class PendingStart;
  struct StartAwaitable;

  void WakeStarter() {
    child_ = nullptr;
    if (waiting_ != nullptr) context_.loop->ready_queue.Push(*std::exchange(waiting_, nullptr));
  }

  const Context& context_;
  CancelScope* child_ = nullptr;
  Suspension* waiting_ = nullptr;
  std::optional<Settled<T>> value_;
  absl::Status failure_;
  bool cancelled_ = false;
};

// Ends only by what the child does: a cancellation is passed on to it.
template <class T>
class Starting<T>::PendingStart : public Suspension {
 public:
  PendingStart(PromiseBase& promise, const Context&, Starting& starting) : promise_(promise), starting_(starting) {}

  bool Start() {
    starting_.waiting_ = this;  // The child has not run yet.
    return waiting_ = true;
  }
  bool Waiting() const { return waiting_; }
  bool StopWaiting() {
    waiting_ = false;
    return true;
  }
  bool Failed() const { return false; }
  void TakeResult() {}
  absl::Status TakeFailure() { return absl::OkStatus(); }
  void TakeValue() {}

  void Cancel() final {
    starting_.cancelled_ = true;
    if (starting_.child_ != nullptr) starting_.child_->Cancel(kReason);
  }
  const CancelScope* scope() const final { return starting_.context_.scope; }
  std::string Describe() const final { return "a child that is not ready yet"; }

 protected:
  PromiseBase& promise_;

 private:
  Starting& starting_;
  bool waiting_ = false;
};

template <class T>
struct Starting<T>::StartAwaitable {
  Starting& starting;
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return LeafAwaiter<PendingStart, kTry>(promise, context, starting);
  }
};

template <class T>
auto Starting<T>::Wait() {
  return StartAwaitable{*this};
}

}  // namespace proactor::internal

#endif  // PROACTOR_STARTING_H_
