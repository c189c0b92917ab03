// SPDX-License-Identifier: Apache-2.0
//
// Select: waits for several things at once, of which exactly one happens.
//
//   auto chosen = co_await Try(Select(orders.Receive(), results.Send(std::move(result)), stop.Wait()));
//   if (chosen.index() == 0) Handle(std::get<0>(chosen));    // What `Try` of it yields: a std::optional<Order>.
//   if (chosen.index() == 1) result = NextResult();          // For one that yields nothing, a std::monostate.
//   auto next = co_await Try(Select(OnlyIf(left_open, left.Receive()), right.Receive()));
//
//  - The others have not happened: no value was taken or sent, no lock acquired. They lose their place in line.
//  - Fair: among those that can happen at once, all are chosen equally often, by chance, so that a busy channel does
//    not silence a quiet one. Else it is the one that happens first. Chance is the same in each run: a simulation
//    repeats.
//  - A channel at its end can be received from again and again: leave it out with `OnlyIf`.
//  - A select that offers and asks on one channel does not meet itself; who asks twice in one line stands there twice.
//  - Takes what waits in a WaiterList: `Channel::Send` and `Receive`, `Event::Wait`, and so on.
//
// Result: an `absl::StatusOr` of a std::variant with one alternative for each, in their order; the failure of the one
//   that was chosen, such as a send to a closed channel.
// Cancelled: `kCancelled`; none has happened. What was handed over before is delivered.
// Threads: the scheduler's.
#ifndef PROACTOR_SYNC_SELECT_H_
#define PROACTOR_SYNC_SELECT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/promise.h"
#include "proactor/sync/waiter_list.h"

namespace proactor {
namespace internal {

// One thing to wait for, or to leave out.
template <class A>
struct [[nodiscard]] Alternative {
  bool included;
  A awaitable;
};

// Puts the numbers from 0 to N - 1 in an order by chance, each as likely as the others.
template <size_t N>
std::array<size_t, N> ShuffledOrder(Loop& loop) {
  std::array<size_t, N> order;
  for (size_t i = 0; i < N; ++i) {
    size_t other = loop.NextChance() % (i + 1);
    order[i] = order[other];
    order[other] = i;
  }
  return order;
}

template <class A>
struct SelectPart {
  using Awaiter =
      decltype(std::declval<A>().template MakeAwaiter<true>(std::declval<PromiseBase&>(), std::declval<Context&>()));
  static_assert(
      requires { requires Awaiter::kCanBePart; },
      "Select takes what waits in a WaiterList, such as Channel::Receive, and not Condition::Wait");
  using Result = decltype(std::declval<Awaiter&>().TakeValue());
  using Value = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;

  struct Source {
    PromiseBase& promise;
    const Context& context;
    Alternative<A>& alternative;
  };
  explicit SelectPart(const Source& source)
      : included(source.alternative.included),
        waiter(std::move(source.alternative.awaitable).template MakeAwaiter<true>(source.promise, source.context)) {
    waiter.BecomePart();
  }
  const bool included;
  Awaiter waiter;
};

// The whole is a waiter too: in a list by itself, from which whichever part is woken wakes it.
template <class... As>
class PendingSelect : public Waiter {
 public:
  using Value = std::variant<typename SelectPart<As>::Value...>;

  PendingSelect(PromiseBase& promise, const Context& context, std::tuple<Alternative<As>...>& alternatives)
      : Waiter(promise, context),
        parts_(std::apply(
            [&](auto&... each) {
              return std::tuple<SelectPart<As>...>(typename SelectPart<As>::Source{promise, context, each}...);
            },
            alternatives)) {}

  bool Start() {
    if (ScopeCancelled()) return Settle(kCancelled);
    auto order = ShuffledOrder<sizeof...(As)>(*context_.loop);
    // Each alone, as what one does might make another happen; then together, to wait.
    for (bool alone : {true, false}) {
      for (size_t index : order) {
        auto happens = [](auto& part, auto) { return part.included && (part.waiter.Start(), !part.waiter.InList()); };
        bool over = Visit(index_ = index, happens);
        if (over || alone) Withdrawn();
        if (over) return Settle(kGranted);
      }
    }
    return WaitIn(self_);
  }
  bool Failed() {
    return Waiter::Failed() || Visit(index_, [](auto& it, auto) { return it.waiter.Failed(); });
  }
  absl::Status TakeFailure() {
    if (Waiter::Failed()) return Waiter::TakeFailure();
    return Visit(index_, [](auto& part, auto) { return part.waiter.TakeFailure(); });
  }
  Value TakeValue() {
    return Visit(index_, [](auto& part, auto index) {
      if constexpr (!std::is_void_v<decltype(part.waiter.TakeValue())>) {
        return Value(std::in_place_index<index>, part.waiter.TakeValue());
      } else {
        return Value(std::in_place_index<index>);
      }
    });
  }
  absl::StatusOr<Value> TakeResult() {
    if (Failed()) return TakeFailure();
    return TakeValue();
  }
  std::string Describe() const final {
    std::string all;
    auto add = [&](auto& part) { all += part.included ? (all.empty() ? "" : ", or ") + part.waiter.Describe() : ""; };
    std::apply([&](auto&... part) { (add(part), ...); }, parts_);
    return all.empty() ? "nothing" : all;
  }

 private:
  // Calls `f` with the part at `index`, and the index as a constant.
  template <size_t I = 0, class F>
  auto Visit(size_t index, F f) {
    if constexpr (I + 1 < sizeof...(As)) {
      if (index != I) return Visit<I + 1>(index, f);
    }
    return f(std::get<I>(parts_), std::integral_constant<size_t, I>());
  }
  void Withdrawn() final {
    std::apply([](auto&... part) { Withdraw(std::array<Waiter*, sizeof...(As)>{&part.waiter...}); }, parts_);
  }
  void PartWoken(Waiter& woken) final {
    for (index_ = 0; !Visit(index_, [&](auto&part, auto) { return &part.waiter == &woken; });) ++index_;
    Withdrawn();
    self_.WakeOne();
  }

  WaiterList self_;
  std::tuple<SelectPart<As>...> parts_;
  size_t index_ = 0;  // Of the part that happened.
};

template <class... As>
struct [[nodiscard]] SelectAwaitable {
  explicit SelectAwaitable(Alternative<As>... alternatives) : alternatives(std::move(alternatives)...) {}
  template <bool kTry>
  auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return LeafAwaiter<PendingSelect<As...>, kTry>(promise, context, alternatives);
  }
  std::tuple<Alternative<As>...> alternatives;
};

template <class A>
Alternative<A> Included(A awaitable) {
  return {true, std::move(awaitable)};
}
template <class A>
Alternative<A> Included(Alternative<A> alternative) {
  return alternative;
}

}  // namespace internal

// For `Select`: waits for `awaitable` only if the condition holds now.
template <class A>
internal::Alternative<A> OnlyIf(bool condition, A awaitable) {
  return {condition, std::move(awaitable)};
}

template <class... As>
auto Select(As... awaitables) {
  return internal::SelectAwaitable(internal::Included(std::move(awaitables))...);
}

}  // namespace proactor

#endif  // PROACTOR_SYNC_SELECT_H_
