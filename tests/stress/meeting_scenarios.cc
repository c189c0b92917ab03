// SPDX-License-Identifier: Apache-2.0
//
// Condition, RwLock, Barrier and Latch.
#include <deque>
#include <utility>

#include "proactor/sync/barrier.h"
#include "proactor/sync/condition.h"
#include "proactor/sync/latch.h"
#include "proactor/sync/mutex.h"
#include "proactor/sync/rw_lock.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

// Every wait ends with the mutex locked, and every item is found by somebody who waits.
Task<absl::Status> Conditions(Race& race) {
  Mutex mutex;
  Condition filled;
  std::deque<int> items;
  constexpr int kUsers = 3, kEach = 3;
  int inside = 0;
  auto user = [&]() -> Task<absl::Status> {
    for (int used = 0; used < kEach;) {
      MutexLock lock = co_await Try(mutex.Lock());
      absl::Status status = co_await race.Interrupted(filled.Wait(lock, [&] { return !items.empty(); }));
      co_await Try(Uninterrupted(status));
      co_await Try(Expect(++inside == 1, "a wait ended without the mutex"));
      if (status.ok()) {
        items.pop_front();
        ++used;
      }
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      --inside;
      lock.Unlock();
      if (!status.ok()) co_await Try(LetTimePass());
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kUsers; ++i) group.Spawn(user());
    for (int i = 0; i < kUsers * kEach; ++i) {
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      MutexLock lock = co_await Try(mutex.Lock());
      items.push_back(i);
      filled.NotifyOne();
    }
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(items.empty() && !mutex.locked(), "an item or the lock was lost");
}

// Writers alone, readers together, and in the end nobody.
Task<absl::Status> RwLocks(Race& race) {
  RwLock rw_lock;
  int readers = 0;
  int writers = 0;
  auto visitor = [&]() -> Task<absl::Status> {
    for (int visits = 0; visits < 3;) {
      bool writes = race.Below(3) == 0;
      ReadLock read;
      WriteLock write;
      absl::Status status;
      if (writes) {
        absl::StatusOr<WriteLock> lock = co_await race.Interrupted(rw_lock.LockToWrite());
        status = lock.status();
        if (lock.ok()) write = *std::move(lock);
      } else {
        absl::StatusOr<ReadLock> lock = co_await race.Interrupted(rw_lock.LockToRead());
        status = lock.status();
        if (lock.ok()) read = *std::move(lock);
      }
      co_await Try(Uninterrupted(status));
      if (!status.ok()) {
        co_await Try(LetTimePass());
        continue;
      }
      ++(writes ? writers : readers);
      co_await Try(Expect(writers + (readers > 0 ? 1 : 0) == 1, "a writer was not alone"));
      co_await Try(Sleep(race.Moment()));
      --(writes ? writers : readers);
      ++visits;
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 4; ++i) group.Spawn(visitor());
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(static_cast<bool>(rw_lock.TryLockToWrite()), "the lock was lost");
}

// Nobody begins a round before all have ended the one before, and each round has each place once.
Task<absl::Status> Barriers(Race& race) {
  constexpr int kParties = 3, kRounds = 3;
  Barrier barrier(kParties);
  Latch ended(kParties);
  int done[kParties] = {};
  int places[kRounds] = {};
  auto party = [&](int id) -> Task<absl::Status> {
    for (int round = 0; round < kRounds; ++round) {
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      done[id] = round;
      absl::StatusOr<int> place = absl::UnknownError("");
      while (!place.ok()) {
        place = co_await race.Interrupted(barrier.Wait());
        co_await Try(Uninterrupted(place.status()));
        if (!place.ok()) co_await Try(LetTimePass());
      }
      places[round] |= 1 << *place;
      for (int other : done) co_await Try(Expect(other >= round, "the barrier opened too early"));
    }
    ended.CountDown();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int id = 0; id < kParties; ++id) group.Spawn(party(id));
    while (!(co_await race.Interrupted(ended.Wait())).ok()) co_await Try(LetTimePass());
    co_return Expect(ended.count() == 0, "the latch opened too early");
  };
  co_await Try(WithTaskGroup(body));
  for (int round : places) co_await Try(Expect(round == 0b111, "a place was taken twice"));
  co_return absl::OkStatus();
}

// Everybody goes on once it has been counted down, and nobody before.
Task<absl::Status> Latches(Race& race) {
  constexpr int kWaiters = 3, kCounters = 3;
  Latch latch(2 * kCounters);
  int gone_on = 0;
  auto waiter = [&]() -> Task<absl::Status> {
    while (!(co_await race.Interrupted(latch.Wait())).ok()) co_await Try(LetTimePass());
    ++gone_on;
    co_return Expect(latch.count() == 0, "the latch opened too early");
  };
  auto counter = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 2; ++i) {
      co_await Try(Sleep(race.Moment()));
      latch.CountDown();
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kWaiters; ++i) group.Spawn(waiter());
    for (int i = 0; i < kCounters; ++i) group.Spawn(counter());
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(gone_on == kWaiters, "a waiter was lost");
}

constexpr Scenario kScenarios[] = {
    {"Conditions", &Conditions}, {"RwLocks", &RwLocks}, {"Barriers", &Barriers}, {"Latches", &Latches}};

}  // namespace

std::span<const Scenario> MeetingScenarios() { return kScenarios; }

}  // namespace proactor
