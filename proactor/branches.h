// SPDX-License-Identifier: Apache-2.0
//
// Branches: what a combinator runs, as many as its call has, or as a vector holds, and what they end with.
//
//   Branches<Task<absl::Status>, Task<int>> branches(co_await CurrentContext(), CancelOn::kFailure, load, count);
//   co_await branches.Join();
//   std::tuple<absl::Status, int> results = branches.TakeResults();
//
// Both forms offer the same members, so that each combinator is written once. Those with a fixed number live where they
// are declared; a vector of tasks needs one of records.
//
// Threads: the scheduler's.
#ifndef PROACTOR_BRANCHES_H_
#define PROACTOR_BRANCHES_H_

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/branch.h"
#include "proactor/context.h"
#include "proactor/result.h"
#include "proactor/task.h"

namespace proactor::internal {

// What remains of a result when failures are told apart: std::monostate if that is nothing.
template <class R>
struct BranchValue {
  using Type = Settled<R>;
};
template <>
struct BranchValue<absl::Status> {
  using Type = std::monostate;
};
template <class T>
struct BranchValue<absl::StatusOr<T>> {
  using Type = T;
};
template <class R>
using ValueOfBranch = typename BranchValue<R>::Type;

template <class R>
inline constexpr bool kHasValue = !std::is_same_v<ValueOfBranch<R>, std::monostate>;

template <class R>
ValueOfBranch<R> TakeValue(Branch<R>& branch) {
  if constexpr (!kHasValue<R>) {
    return {};
  } else if constexpr (CarriesStatus<R>) {
    return *std::move(branch.result());
  } else {
    return std::move(branch.result());
  }
}

template <class... Tasks>
class Branches;

template <class... Rs>
class Branches<Task<Rs>...> {
 public:
  using Results = std::tuple<Settled<Rs>...>;
  using Values = std::tuple<ValueOfBranch<Rs>...>;
  static constexpr bool kHasValues = (kHasValue<Rs> || ...);

  // Starts them.
  Branches(const Context& context, CancelOn cancel_on, Task<Rs>&... tasks)
      : fork_(context, cancel_on), branches_((static_cast<void>(tasks), fork_)...) {
    size_t index = 0;
    std::apply([&](Branch<Rs>&... branch) { (branch.Start(index++, std::move(tasks)), ...); }, branches_);
  }

  const Fork& fork() const { return fork_; }
  auto Join() { return fork_.Join(); }

  // After the join, one of these.
  Results TakeResults() {
    return std::apply([](Branch<Rs>&... branch) { return Results(std::move(branch.result())...); }, branches_);
  }
  Values TakeValues() {
    return std::apply([](Branch<Rs>&... branch) { return Values(TakeValue(branch)...); }, branches_);
  }
  // Of the branch that was first.
  absl::Status TakeStatus() {
    absl::Status status;
    size_t index = 0;
    auto take = [&](auto& branch) {
      if (index++ == fork_.first()) status = branch.TakeStatus();
    };
    std::apply([&](Branch<Rs>&... branch) { (take(branch), ...); }, branches_);
    return status;
  }

 private:
  Fork fork_;
  std::tuple<Branch<Rs>...> branches_;
};

template <class R>
class Branches<std::vector<Task<R>>> {
 public:
  using Results = std::vector<Settled<R>>;
  using Values = std::vector<ValueOfBranch<R>>;
  static constexpr bool kHasValues = kHasValue<R>;

  Branches(const Context& context, CancelOn cancel_on, std::vector<Task<R>>& tasks)
      : fork_(context, cancel_on), branches_(tasks.size()) {
    for (size_t i = 0; i < tasks.size(); ++i) branches_[i].emplace(fork_).Start(i, std::move(tasks[i]));
  }

  const Fork& fork() const { return fork_; }
  auto Join() { return fork_.Join(); }

  Results TakeResults() {
    Results results;
    results.reserve(branches_.size());
    for (std::optional<Branch<R>>& branch : branches_) results.push_back(std::move(branch->result()));
    return results;
  }
  Values TakeValues() {
    Values values;
    values.reserve(branches_.size());
    for (std::optional<Branch<R>>& branch : branches_) values.push_back(TakeValue(*branch));
    return values;
  }
  absl::Status TakeStatus() { return branches_[fork_.first()]->TakeStatus(); }

 private:
  Fork fork_;
  std::vector<std::optional<Branch<R>>> branches_;  // Optional only because a vector makes all of them at once.
};

template <class A>
std::vector<Task<AwaitResult<A>>> AsTasks(std::vector<A> awaitables) {
  std::vector<Task<AwaitResult<A>>> tasks;
  tasks.reserve(awaitables.size());
  for (A& awaitable : awaitables) tasks.push_back(AsTask(std::move(awaitable)));
  return tasks;
}

}  // namespace proactor::internal

#endif  // PROACTOR_BRANCHES_H_
