// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/shared_waiter.h"

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

// Something to wait for, with nothing but the list.
struct Bell {
  std::mutex mutex;
  SharedWaiterList waiters;

  struct Wait : SharedWaiter {
    int number = 0;
  };
  class PendingRing : public SharedLeaf<Wait> {
   public:
    PendingRing(PromiseBase& promise, const Context& context, Bell& bell)
        : SharedLeaf(promise, context, bell.mutex), bell_(bell) {}
    bool Start() {
      if (ScopeCancelled()) return Settle(kCancelled);
      std::lock_guard lock(bell_.mutex);
      return WaitIn(bell_.waiters);
    }
    int TakeValue() const { return number; }
    absl::StatusOr<int> TakeResult() const {
      if (Failed()) return TakeFailure();
      return number;
    }
    std::string Describe() const final { return "a bell"; }

   private:
    Bell& bell_;
  };
  struct Awaitable {
    Bell& bell;
    template <bool kTry>
    auto MakeAwaiter(PromiseBase& promise, const Context& context) && {
      return internal::LeafAwaiter<PendingRing, kTry>(promise, context, bell);
    }
  };
  Awaitable Heard() { return {*this}; }

  bool Ring(int number) {
    std::lock_guard lock(mutex);
    SharedWaiter* waiter = waiters.front();
    if (waiter == nullptr) return false;
    static_cast<Wait*>(waiter)->number = number;
    waiters.Wake(*waiter);
    return true;
  }
};

class SharedWaiterTest : public BackendTest {};
// A simulated world does not wait for threads.
class SharedWaiterThreadsTest : public BackendTest {};

TEST_P(SharedWaiterTest, WhoHasBeenWokenCannotBeCancelled) {
  Bell bell;
  absl::StatusOr<int> heard;
  auto listener = [&]() -> Task<absl::Status> {
    heard = co_await bell.Heard();
    co_return absl::OkStatus();
  };
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_TRUE(bell.Ring(7));
    scope.Cancel();  // The message is on its way.
    co_return absl::OkStatus();
  };
  auto both = [&]() -> Task<absl::Status> {
    CancelScope scope(co_await CurrentContext());
    scheduler().Spawn(body(scope));
    co_return co_await internal::InScope(scope, listener());
  };
  EXPECT_THAT(Run(both()), IsOk());
  EXPECT_THAT(heard, IsOkAndHolds(7));
}

TEST_P(SharedWaiterTest, ACancelledWaiterTakesNoWakeUpWithIt) {
  Bell bell;
  auto body = [&]() -> Task<absl::Status> {
    absl::StatusOr<int> late = co_await WithTimeout(absl::Milliseconds(1), bell.Heard());
    EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_FALSE(bell.Ring(7));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(SharedWaiterThreadsTest, TheLoopMayEndAsSoonAsItsWaiterHasBeenWoken) {
  Bell bell;
  for (int i = 0; i < 20; ++i) {
    auto bench = std::make_unique<Bench>(GetParam());
    std::thread ringer([&] {
      while (!bell.Ring(i)) std::this_thread::yield();
    });
    auto body = [&]() -> Task<absl::StatusOr<int>> { co_return co_await bell.Heard(); };
    absl::StatusOr<int> heard = bench->Run(body());
    bench.reset();
    ringer.join();
    EXPECT_THAT(heard, IsOkAndHolds(i));
  }
}

INSTANTIATE_ON_EVERY_BACKEND(SharedWaiterTest);
INSTANTIATE_ON_REAL_BACKENDS(SharedWaiterThreadsTest);

TEST(ThreadWaitTest, AThreadIsWokenOrLosesItsPatience) {
  Bell bell;
  std::unique_lock lock(bell.mutex);
  ThreadWait<Bell::Wait> impatient;
  EXPECT_FALSE(impatient.WaitIn(bell.waiters, lock, absl::Milliseconds(1)));
  std::thread ringer([&] {
    while (!bell.Ring(7)) std::this_thread::yield();
  });
  ThreadWait<Bell::Wait> patient;
  EXPECT_TRUE(patient.WaitIn(bell.waiters, lock, absl::InfiniteDuration()));
  EXPECT_EQ(patient.number, 7);
  lock.unlock();
  ringer.join();
}

TEST(SharedWaiterDeathTest, DestroyedWhileSomebodyWaits) {
  EXPECT_DEATH(
      {
        ThreadWait<Bell::Wait> wait;
        SharedWaiterList waiters;
        waiters.PushBack(wait);
      },
      "it must outlive those who wait");
}

}  // namespace
}  // namespace proactor
