// SPDX-License-Identifier: Apache-2.0
//
// Any: several ways to the same end at the same time; the first that succeeds wins.
//
//   auto any = co_await Any(Connect(primary), Connect(secondary));
//   if (any.ok()) Log(any.first == 0 ? "primary" : "secondary");
//   TcpStream stream = co_await Try(std::move(any).TakeFirst());   // Or the failure of the first that failed.
//
// Takes awaitables (a Task, an operation, Sleep, ...), or one std::vector of them, and starts them in one scope, in the
// order given. The first success cancels the others. It ends when all have ended.
//
// Result: an `AnyResult`: who was first, and what each ended with. Those who lost usually end with `kCancelled`, but
//   who could not be stopped in time has done what it was asked to, and its result is here too: a second connection,
//   say. What cannot fail succeeds.
// Cancelled: all of them are; who succeeds in spite of it wins.
// Threads: the scheduler's.
#ifndef PROACTOR_ANY_H_
#define PROACTOR_ANY_H_

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "proactor/branch.h"
#include "proactor/branches.h"
#include "proactor/context.h"
#include "proactor/log.h"
#include "proactor/promise.h"
#include "proactor/task.h"

namespace proactor {
namespace internal {

template <class Results>
struct CommonResult {};
template <class R, class... Same>
  requires(std::is_same_v<R, Same>&&...) struct CommonResult<std::tuple<R, Same...>> {
  using Type = R;
};
template <class R>
struct CommonResult<std::vector<R>> {
  using Type = R;
};

}  // namespace internal

// `Results` is a std::tuple, or a std::vector.
template <class Results>
class [[nodiscard]] AnyResult {
 public:
  AnyResult(bool ok, size_t first, Results results) : first(first), results(std::move(results)), ok_(ok) {}

  // Whether one has succeeded.
  bool ok() const { return ok_; }

  // The result of the first, where all are of one type.
  template <class R = Results>
  typename internal::CommonResult<R>::Type TakeFirst() && {
    using Common = typename internal::CommonResult<R>::Type;
    Common* chosen = nullptr;
    if constexpr (std::is_same_v<Results, std::vector<Common>>) {
      Check(first < results.size(), "AnyResult::TakeFirst needs a first: Any was given an empty vector.");
      chosen = &results[first];
    } else {
      size_t index = 0;
      auto choose = [&](Common& result) {
        if (index++ == first) chosen = &result;
      };
      std::apply([&](auto&... each) { (choose(each), ...); }, results);
    }
    return std::move(*chosen);
  }

  size_t first;     // Who succeeded first; if nobody did, who failed first. By position, from 0.
  Results results;  // What each ended with (of `void`, a std::monostate).

 private:
  bool ok_;
};

namespace internal {

template <class... Tasks>
Task<AnyResult<typename Branches<Tasks...>::Results>> RunAny(Tasks... tasks) {
  Branches<Tasks...> branches(co_await CurrentContext(), CancelOn::kSuccess, tasks...);
  co_await branches.Join();
  co_return AnyResult(branches.fork().decided(), branches.fork().first(), branches.TakeResults());
}

}  // namespace internal

template <internal::Awaitable... As>
  requires(sizeof...(As) > 0) auto Any(As... awaitables) {
  return internal::RunAny(internal::AsTask(std::move(awaitables))...);
}
template <internal::Awaitable A>
auto Any(std::vector<A> awaitables) {
  return internal::RunAny(internal::AsTasks(std::move(awaitables)));
}

}  // namespace proactor

#endif  // PROACTOR_ANY_H_
