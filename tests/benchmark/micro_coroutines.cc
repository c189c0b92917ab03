// SPDX-License-Identifier: Apache-2.0

// Children: awaited, awaited under a timeout, spawned.

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"
#include "tests/benchmark/bare_task.h"
#include "tests/benchmark/micro_cases.h"

namespace proactor::benchmark {
namespace {

// No compiler may look into a child, as none could if it were in another file.
[[gnu::noipa]] BareTask BareChild(int number) { co_return number; }
[[gnu::noipa]] Task<int> Child(int number) { co_return number; }
[[gnu::noipa]] Task<absl::Status> Nothing() { co_return absl::OkStatus(); }

BareTask AwaitBareChildren(int64_t times) {
  int sum = 0;
  for (int64_t i = 0; i < times; ++i) sum += co_await BareChild(1);
  co_return sum;
}

Task<int> AwaitChildren(int64_t times) {
  int sum = 0;
  for (int64_t i = 0; i < times; ++i) sum += co_await Child(1);
  co_return sum;
}

Task<absl::Status> AwaitNothing(int64_t times) {
  absl::Status status;
  for (int64_t i = 0; i < times && status.ok(); ++i) status = co_await Nothing();
  co_return status;
}

Task<absl::Status> AwaitNothingWithTimeout(int64_t times) {
  absl::Status status;
  for (int64_t i = 0; i < times && status.ok(); ++i) status = co_await WithTimeout(absl::Seconds(10), Nothing());
  co_return status;
}

template <class Child>
Task<absl::Status> SpawnAndJoin(int64_t times, Child child) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int64_t i = 0; i < times; ++i) {
      group.Spawn(child());
      co_await group.Join();
    }
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

}  // namespace

std::vector<MicroCase> CoroutineCases() {
  const auto await_children = [](int64_t times) { MicroScheduler().Run(AwaitChildren(times)); };
  const auto await_nothing = [](int64_t times) { MicroScheduler().Run(AwaitNothing(times)).IgnoreError(); };
  const auto spawn_nothing = [](int64_t times) { MicroScheduler().Run(SpawnAndJoin(times, &Nothing)).IgnoreError(); };
  const auto child = [] { return Child(1); };
  const auto spawn_children = [=](int64_t times) { MicroScheduler().Run(SpawnAndJoin(times, child)).IgnoreError(); };
  return {
      {.name = "child coroutine / bare pooled coroutine",
       .subject = await_children,
       .yardstick = [](int64_t times) { RunBare(AwaitBareChildren(times)); },
       .bar = AtMost(1.2)},
      {.name = "WithTimeout, not expiring / without",
       .subject = [](int64_t times) { MicroScheduler().Run(AwaitNothingWithTimeout(times)).IgnoreError(); },
       .yardstick = await_nothing,
       .bar = AddsAtMost(40)},
      {.name = "Spawn and join / child coroutine",
       .subject = spawn_children,
       .yardstick = await_children,
       .bar = AtMost(3)},
      {.name = "Spawn and join, both with a status",
       .subject = spawn_nothing,
       .yardstick = await_nothing,
       .bar = AtMost(3)},
      {.name = "Spawn and join with a status / child with none",
       .subject = spawn_nothing,
       .yardstick = await_children,
       .bar = AtMost(3)},
  };
}

}  // namespace proactor::benchmark
