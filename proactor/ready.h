// SPDX-License-Identifier: Apache-2.0
//
// StartAndWaitReady: starts a child of a group, and waits until it says that it is ready.
//
//   auto server = [](Ready<SocketAddress>& ready) -> Task<absl::Status> {
//     TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
//     ready.Set(co_await Try(listener.LocalAddress()));
//     co_return co_await Serve(listener);
//   };
//   SocketAddress address = co_await Try(StartAndWaitReady<SocketAddress>(group, server));
//
// Until it is ready, the child belongs to who starts it, and from then on to the group:
//
// Result: what the child gave `Set`, once. If the child ends before that, the result is its failure (the group does not
//   hear of it), or `kFailedPrecondition` if it had none.
// Cancelled: the child is cancelled, and its end awaited; if it becomes ready in spite of that, the result is
//   delivered, and the child, cancelled as it is, ends.
// The child owns a copy of the body, which is a named callable or captures by reference, as in `WithTaskGroup`.
// Threads: the scheduler's.
#ifndef PROACTOR_READY_H_
#define PROACTOR_READY_H_

#include <concepts>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "proactor/branch.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/log.h"
#include "proactor/result.h"
#include "proactor/starting.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"

namespace proactor {

// How a child says that it is ready. Lives as long as the child.
template <class T>
class Ready {
 public:
  explicit Ready(internal::Starting<T>& starting) : starting_(&starting) {}
  Ready(const Ready&) = delete;

  void Set(internal::Settled<T> value) requires(!std::is_void_v<T>) { TakeStarting().Succeed(std::move(value)); }
  void Set() requires std::is_void_v<T> { TakeStarting().Succeed({}); }
  bool is_set() const { return starting_ == nullptr; }

 private:
  internal::Starting<T>& TakeStarting() {
    Check(starting_ != nullptr, "Ready::Set was called twice: a child becomes ready once.");
    return *std::exchange(starting_, nullptr);
  }

  internal::Starting<T>* starting_;
};

namespace internal {

template <class T, class Body>
Task<absl::Status> RunStarted(Body body, Starting<T>& starting) {
  CancelScope scope(co_await CurrentContext());
  starting.Begin(scope);
  Ready<T> ready(starting);
  auto result = co_await InScope(scope, body(ready));
  static_assert(CarriesStatus<decltype(result)>, "A child returns Task<absl::Status> or Task<absl::StatusOr<T>>");
  if (!ready.is_set()) {
    starting.Fail(StatusOf(std::move(result)));
    co_return absl::OkStatus();
  }
  // Told to end by who started it, it did.
  if (absl::IsCancelled(StatusOf(result)) && scope.cause() == CancelCause::kRequested) co_return absl::OkStatus();
  co_return StatusOf(std::move(result));
}

template <class T, class Body>
Task<WithStatus<T>> StartAndWait(TaskGroup& group, Body body, SpawnOptions options) {
  const Context& context = co_await CurrentContext();
  if (context.scope->cancelled()) co_return context.scope->Failure("start a child");
  Starting<T> starting(context);
  group.Spawn(RunStarted<T, Body>(std::move(body), starting), options);
  co_await starting.Wait();
  co_return starting.TakeResult();
}

}  // namespace internal

// `T` may be void.
template <class T, class Body>
requires(std::invocable<std::decay_t<Body>&, Ready<T>&>) Task<WithStatus<T>> StartAndWaitReady(
    TaskGroup& group, Body&& body, SpawnOptions options = {}) {
  static_assert(std::is_lvalue_reference_v<Body> || std::is_trivially_destructible_v<Body>,
                "Name the body before you pass it (auto body = [...]; StartAndWaitReady<T>(group, body)), or capture "
                "by reference: GCC 12 destroys such a temporary twice");
  return internal::StartAndWait<T, std::decay_t<Body>>(group, std::forward<Body>(body), options);
}

}  // namespace proactor

#endif  // PROACTOR_READY_H_
