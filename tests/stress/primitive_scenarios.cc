// SPDX-License-Identifier: Apache-2.0
//
// Event, Mutex, Semaphore.
#include <utility>

#include "proactor/sync/event.h"
#include "proactor/sync/mutex.h"
#include "proactor/sync/semaphore.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"

namespace proactor {
namespace {

// Who waits for an event that is set goes on, whatever happened to others who waited.
Task<absl::Status> Events(Race& race) {
  Event event;
  constexpr int kWaiters = 4;
  int woken = 0;
  auto waiter = [&]() -> Task<absl::Status> {
    while (!(co_await race.Interrupted(event.Wait())).ok()) co_await Try(LetTimePass());
    ++woken;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kWaiters; ++i) group.Spawn(waiter());
    co_await Try(Sleep(race.Moment()));
    event.Set();
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(woken == kWaiters, "a wake-up was lost");
}

// One at a time has the lock, and in the end nobody.
Task<absl::Status> Mutexes(Race& race) {
  Mutex mutex;
  int inside = 0;
  auto visitor = [&]() -> Task<absl::Status> {
    for (int visits = 0; visits < 3;) {
      absl::StatusOr<MutexLock> lock = co_await race.Interrupted(mutex.Lock());
      co_await Try(Uninterrupted(lock.status()));
      if (!lock.ok()) {
        co_await Try(LetTimePass());
        continue;
      }
      co_await Try(Expect(++inside == 1, "two at a time"));
      co_await Try(Sleep(race.Moment()));
      --inside;
      ++visits;
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) group.Spawn(visitor());
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(static_cast<bool>(mutex.TryLock()), "the lock was lost");
}

// No permit is lost, and none comes from nowhere.
Task<absl::Status> Semaphores(Race& race) {
  constexpr int64_t kPermits = 3;
  Semaphore semaphore(kPermits);
  int64_t taken = 0;
  auto visitor = [&]() -> Task<absl::Status> {
    for (int visits = 0; visits < 3;) {
      int64_t count = 1 + race.Below(kPermits);
      absl::StatusOr<Permit> permit = co_await race.Interrupted(semaphore.Acquire(count));
      co_await Try(Uninterrupted(permit.status()));
      if (!permit.ok()) {
        co_await Try(LetTimePass());
        continue;
      }
      taken += count;
      co_await Try(Expect(taken <= kPermits, "more permits than there are"));
      co_await Try(Sleep(race.Moment()));
      taken -= count;
      ++visits;
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 4; ++i) group.Spawn(visitor());
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(semaphore.available() == kPermits, "a permit was lost");
}

constexpr Scenario kScenarios[] = {{"Events", &Events}, {"Mutexes", &Mutexes}, {"Semaphores", &Semaphores}};

}  // namespace

std::span<const Scenario> PrimitiveScenarios() { return kScenarios; }

}  // namespace proactor
