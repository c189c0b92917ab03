// SPDX-License-Identifier: Apache-2.0

// What coroutines do to each other: locks, and values on their way.

#include <coroutine>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "proactor/sync/channel.h"
#include "proactor/sync/mutex.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/benchmark/bare_task.h"
#include "tests/benchmark/micro_cases.h"

namespace proactor::benchmark {
namespace {

Task<absl::Status> LockAndUnlock(int64_t times) {
  Mutex mutex;
  for (int64_t i = 0; i < times; ++i) {
    MutexLock lock = co_await Try(mutex.Lock());
  }
  co_return absl::OkStatus();
}

void LockAndUnlockThreads(int64_t times) {
  static std::mutex mutex;
  for (int64_t i = 0; i < times; ++i) {
    std::lock_guard lock(mutex);
    asm volatile("" ::: "memory");
  }
}

// One value after the other, from a coroutine to another.
Task<absl::Status> SendAndReceive(int64_t times, size_t capacity) {
  Channel<int> channel(capacity);
  auto sender = [&]() -> Task<absl::Status> {
    for (int64_t i = 0; i < times; ++i) co_await Try(channel.Send(static_cast<int>(i)));
    channel.Close();
    co_return absl::OkStatus();
  };
  auto receiver = [&]() -> Task<absl::Status> {
    while (std::optional<int> value = co_await Try(channel.Receive())) {
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(sender());
    group.Spawn(receiver());
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

// The same where both know each other and nobody else: a value goes through a deque, and control goes with it and back.
class BarePair {
 public:
  void Run(int64_t times) {
    BareTask consumer = Consume();
    consumer_ = consumer.coroutine();
    RunBare(Produce(times));
  }

 private:
  struct Switch {
    std::coroutine_handle<> to;
    std::coroutine_handle<>& from;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> coroutine) noexcept {
      from = coroutine;
      return to;
    }
    void await_resume() const noexcept {}
  };

  BareTask Produce(int64_t times) {
    for (int64_t i = 0; i < times; ++i) {
      queue_.push_back(static_cast<int>(i));
      co_await Switch{consumer_, producer_};
    }
    co_return 0;
  }
  BareTask Consume() {
    int sum = 0;
    while (true) {
      sum += queue_.front();
      queue_.pop_front();
      co_await Switch{producer_, consumer_};
    }
    co_return sum;
  }

  std::deque<int> queue_;
  std::coroutine_handle<> producer_;
  std::coroutine_handle<> consumer_;
};

MicroCase ChannelCase(std::string name, size_t capacity) {
  return {.name = std::move(name),
          .subject = [capacity](int64_t times) { MicroScheduler().Run(SendAndReceive(times, capacity)).IgnoreError(); },
          .yardstick = [](int64_t times) { BarePair().Run(times); },
          .bar = AtMost(4)};
}

}  // namespace

std::vector<MicroCase> SyncCases() {
  return {{.name = "Mutex, uncontended / std::mutex",
           .subject = [](int64_t times) { MicroScheduler().Run(LockAndUnlock(times)).IgnoreError(); },
           .yardstick = &LockAndUnlockThreads,
           .bar = AtMost(1.5)},
          ChannelCase("Channel of 16 / transfers and a deque", 16),
          ChannelCase("Channel of 0 / transfers and a deque", 0)};
}

}  // namespace proactor::benchmark
