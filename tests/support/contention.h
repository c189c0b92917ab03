// SPDX-License-Identifier: Apache-2.0
//
// Contention: visitors who all want something, are interrupted at chosen moments, and have to be served in the order in
// which they came.
//
//   Contention contention;
//   auto body = [&](const Visit& visit) -> Task<absl::Status> {
//     absl::StatusOr<MutexLock> lock = co_await contention.Want(visit, mutex.Lock());
//     if (lock.ok()) co_await Try(contention.Stay(visit));
//     co_return absl::OkStatus();
//   };
//   EXPECT_THAT(bench.Run(contention.Meet(visits, body)), IsOk());
//
// Moments are in microseconds, few and small, so that in a simulation many things happen at the same one. Every way in
// which three visitors meet: `ForEveryMeeting`; a crowd by chance: `CrowdFromSeed`.
//
// Threads: the scheduler's.
#ifndef PROACTOR_TESTS_SUPPORT_CONTENTION_H_
#define PROACTOR_TESTS_SUPPORT_CONTENTION_H_

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/promise.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {

enum class Interruption {
  kNone,
  kDeadline,       // Of a scope: takes effect before anybody else does something at that moment.
  kCancelled,      // By another task, in its turn among those who do something at that moment.
  kCancelledLate,  // By another task, when all the others have done what they do at that moment.
};

struct Visit {
  int id = 0;
  int arrives = 0;
  int patience = 0;  // From the arrival to the interruption.
  Interruption interruption = Interruption::kNone;
  int stays = 0;
  int wants = 1;  // How many, or which kind: for the test to say.
};

class Contention {
 public:
  // Each visitor arrives, and does what the body says, which is all there is to wait for.
  template <class Body>
  Task<absl::Status> Meet(const std::vector<Visit>& visits, Body& body);

  // Awaits what the visitor wants, until it is interrupted. Of those who have to wait, the first is served first.
  template <class A>
  Task<internal::AwaitResult<A>> Want(const Visit& visit, A awaitable);

  static internal::SleepAwaitable Stay(const Visit& visit) { return Sleep(absl::Microseconds(visit.stays)); }

  int served() const { return served_; }
  int interrupted() const { return interrupted_; }

 private:
  // Notes who has to wait.
  template <class A>
  struct Watched;

  template <class Body>
  static Task<absl::Status> Arrive(const Visit& visit, Body& body) {
    co_await Try(Sleep(absl::Microseconds(visit.arrives)));
    co_return co_await body(visit);
  }
  Task<absl::Status> Interrupt(const Visit& visit);

  std::deque<int> line_;                // Who waits, in the order of arrival.
  std::map<int, CancelScope*> scopes_;  // Those to cancel.
  int served_ = 0;
  int interrupted_ = 0;
};

// Every way in which three visitors meet, the first of which is never interrupted. Each wants one of `wants`.
void ForEveryMeeting(const std::vector<int>& wants, const std::function<void(const std::vector<Visit>&)>& run);

// Many visitors by chance, who want 1 to `most`.
std::vector<Visit> CrowdFromSeed(uint64_t seed, int most = 1);

template <class A>
struct Contention::Watched {
  A awaitable;
  std::deque<int>& line;
  int id;

  class Awaiter {
   public:
    Awaiter(PromiseBase& promise, const Context& context, Watched&& watched)
        : inner_(std::move(watched.awaitable).template MakeAwaiter<false>(promise, context)),
          line_(watched.line),
          id_(watched.id) {}
    bool await_ready() { return inner_.await_ready(); }
    template <class P>
    auto await_suspend(std::coroutine_handle<P> coroutine) {
      line_.push_back(id_);
      return inner_.await_suspend(coroutine);
    }
    auto await_resume() { return inner_.await_resume(); }

   private:
    decltype(std::declval<A>().template MakeAwaiter<false>(std::declval<PromiseBase&>(),
                                                           std::declval<const Context&>())) inner_;
    std::deque<int>& line_;
    int id_;
  };
  template <bool kTry>
  Awaiter MakeAwaiter(PromiseBase& promise, const Context& context) && {
    return Awaiter(promise, context, std::move(*this));
  }
};

template <class Body>
Task<absl::Status> Contention::Meet(const std::vector<Visit>& visits, Body& body) {
  auto meeting = [&](TaskGroup& group) -> Task<absl::Status> {
    for (const Visit& visit : visits) {
      group.Spawn(Arrive(visit, body));
      if (visit.interruption >= Interruption::kCancelled) group.Spawn(Interrupt(visit));
    }
    co_await group.Join();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(meeting);
}

template <class A>
Task<internal::AwaitResult<A>> Contention::Want(const Visit& visit, A awaitable) {
  CancelScope scope(co_await CurrentContext());
  scopes_[visit.id] = &scope;
  if (visit.interruption == Interruption::kDeadline) scope.SetTimeout(absl::Microseconds(visit.patience));
  Watched<A> watched{std::move(awaitable), line_, visit.id};
  internal::AwaitResult<A> result = co_await internal::InScope(scope, std::move(watched));
  bool waited = std::ranges::find(line_, visit.id) != line_.end();
  if (result.ok()) {
    // Those who have been cancelled have left, though they may not have had their turn to say so.
    auto stays = [&](int id) { return id == visit.id || !scopes_[id]->cancelled(); };
    EXPECT_TRUE(!waited || *std::ranges::find_if(line_, stays) == visit.id) << "visitor " << visit.id << " overtook";
    ++served_;
  } else {
    EXPECT_TRUE(absl::IsCancelled(internal::StatusOf(result)) && visit.interruption != Interruption::kNone);
    ++interrupted_;
  }
  scopes_.erase(visit.id);
  std::erase(line_, visit.id);
  co_return result;
}

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_CONTENTION_H_
