// SPDX-License-Identifier: Apache-2.0
//
// All and AllSettled: several things at the same time, and the results of all of them.
//
//   auto [user, orders] = co_await Try(All(LoadUser(id), LoadOrders(id)));
//   absl::Status copied = co_await All(Pump(client, server), Pump(server, client));
//   std::vector<Page> pages = co_await Try(All(std::move(fetches)));   // Of a std::vector<Task<absl::StatusOr<Page>>>.
//   auto [synced, count] = co_await AllSettled(log.Sync(), Count(log));
//
// Each takes awaitables (a Task, an operation, Sleep, ...), or one std::vector of them, starts them in one scope, in
// the order given, and ends when all have ended. They run for the first time in a later step of the loop.
//
// Result of `All`: an `absl::StatusOr` of a std::tuple, or of a std::vector, of their values. What has none, like an
//   `absl::Status`, is a std::monostate in the tuple; if nothing has one, the result is an `absl::Status`.
//   The first failure, in time, cancels the others; once these have ended, it is the result, and values are dropped.
// Result of `AllSettled`: a std::tuple, or a std::vector, of what each ended with (of `void`, a std::monostate); it has
//   no failure of its own. Nobody is cancelled because another failed.
// Cancelled: all of them are; who has a result in spite of it delivers it.
// Memory: one frame, besides those of what runs in it; a vector of records for a vector.
// Threads: the scheduler's.
#ifndef PROACTOR_ALL_H_
#define PROACTOR_ALL_H_

#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/branch.h"
#include "proactor/branches.h"
#include "proactor/context.h"
#include "proactor/promise.h"
#include "proactor/task.h"

namespace proactor {
namespace internal {

template <class B>
using ResultOfAll = std::conditional_t<B::kHasValues, absl::StatusOr<typename B::Values>, absl::Status>;

template <class... Tasks>
Task<ResultOfAll<Branches<Tasks...>>> RunAll(Tasks... tasks) {
  Branches<Tasks...> branches(co_await CurrentContext(), CancelOn::kFailure, tasks...);
  co_await branches.Join();
  if (branches.fork().decided()) co_return branches.TakeStatus();
  if constexpr (Branches<Tasks...>::kHasValues) {
    co_return branches.TakeValues();
  } else {
    co_return absl::OkStatus();
  }
}

template <class... Tasks>
Task<typename Branches<Tasks...>::Results> RunAllSettled(Tasks... tasks) {
  Branches<Tasks...> branches(co_await CurrentContext(), CancelOn::kNothing, tasks...);
  co_await branches.Join();
  co_return branches.TakeResults();
}

}  // namespace internal

template <internal::Awaitable... As>
  requires(sizeof...(As) > 0) auto All(As... awaitables) {
  return internal::RunAll(internal::AsTask(std::move(awaitables))...);
}
template <internal::Awaitable A>
auto All(std::vector<A> awaitables) {
  return internal::RunAll(internal::AsTasks(std::move(awaitables)));
}

template <internal::Awaitable... As>
  requires(sizeof...(As) > 0) auto AllSettled(As... awaitables) {
  return internal::RunAllSettled(internal::AsTask(std::move(awaitables))...);
}
template <internal::Awaitable A>
auto AllSettled(std::vector<A> awaitables) {
  return internal::RunAllSettled(internal::AsTasks(std::move(awaitables)));
}

}  // namespace proactor

#endif  // PROACTOR_ALL_H_
