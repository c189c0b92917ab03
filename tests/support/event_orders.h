// SPDX-License-Identifier: Apache-2.0
//
// Every order in which a few events can happen to coroutines: for tests of what they do to each other.
//
//   for (const EventOrder& order : EventOrders(5)) {
//     for (int position = 0; position < 5; ++position) {
//       ... do event order.events[position] ...
//       if (order.PauseAfter(position)) co_await Try(LetOthersRun());   // Everybody who can run does.
//     }
//   }
//
// Each permutation comes with each choice of pauses, so two events happen within one step of the loop, or with the loop
// between them. `Stoppable` awaits what one of the events cancels.
#ifndef PROACTOR_TESTS_SUPPORT_EVENT_ORDERS_H_
#define PROACTOR_TESTS_SUPPORT_EVENT_ORDERS_H_

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/timeout.h"

namespace proactor {

// Waits until everybody who can run has done so.
inline auto LetOthersRun() { return Sleep(absl::ZeroDuration()); }

struct EventOrder {
  std::vector<int> events;
  unsigned pauses = 0;  // One bit for each position but the last.

  bool PauseAfter(int position) const { return (pauses >> position & 1) != 0; }
  // Such as "2 0 | 1", for failures.
  std::string Describe() const {
    std::string text;
    for (size_t i = 0; i < events.size(); ++i) {
      text += std::to_string(events[i]) + (PauseAfter(static_cast<int>(i)) ? " | " : " ");
    }
    return text;
  }
};

inline std::vector<EventOrder> EventOrders(int events) {
  std::vector<EventOrder> orders;
  std::vector<int> permutation(static_cast<size_t>(events));
  std::iota(permutation.begin(), permutation.end(), 0);
  do {
    for (unsigned pauses = 0; pauses < 1u << (events - 1); ++pauses) orders.push_back({permutation, pauses});
  } while (std::ranges::next_permutation(permutation).found);
  return orders;
}

class Stoppable {
 public:
  // Awaits; `Stop` cancels it, also before it begins.
  template <class A>
  Task<internal::AwaitResult<A>> Await(A awaitable) {
    CancelScope scope(co_await CurrentContext());
    scope_ = &scope;
    if (stopped_) scope.Cancel();
    internal::AwaitResult<A> result = co_await internal::InScope(scope, std::move(awaitable));
    scope_ = nullptr;
    co_return result;
  }
  void Stop() {
    stopped_ = true;
    if (scope_ != nullptr) scope_->Cancel();
  }

 private:
  CancelScope* scope_ = nullptr;
  bool stopped_ = false;
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_EVENT_ORDERS_H_
