// SPDX-License-Identifier: Apache-2.0
#include "proactor/yield.h"

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

class YieldTest : public BackendTest {};

TEST_P(YieldTest, GivesEveryOtherReadyCoroutineATurn) {
  std::vector<int> order;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto counter = [&](int id) -> Task<absl::Status> {
      for (int i = 0; i < 3; ++i) {
        order.push_back(id);
        co_await Try(Yield());
      }
      co_return absl::OkStatus();
    };
    for (int id : {1, 2, 3}) group.Spawn(counter(id));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 1, 2, 3, 1, 2, 3));
}

TEST_P(YieldTest, GoesOnceAroundTheLoop) {
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 10; ++i) {
      int64_t before = counters().turns.value();
      co_await Try(Yield());
      EXPECT_EQ(counters().turns.value() - before, 1);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// However many tasks yield all the time: an echo, which needs four looks at I/O, gets them.
TEST_P(YieldTest, InputAndOutputGoOnBesideThoseWhoYieldForEver) {
  bool over = false;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    TcpStream client = co_await Try(TcpStream::Connect(address));
    TcpStream server = co_await Try(listener.Accept());
    auto busy = [&]() -> Task<absl::Status> {
      while (!over) co_await Try(Yield());
      co_return absl::OkStatus();
    };
    for (int i = 0; i < 1'000; ++i) group.Spawn(busy());
    char byte[1];
    co_await Try(client.WriteAll("x"));
    co_await Try(server.Read(byte));
    co_await Try(server.WriteAll(byte));
    co_await Try(client.Read(byte));
    over = true;
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(YieldTest, WhatIsReadyAfterALookAtTimersGoesFirst) {
  std::vector<int> order;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto sleeper = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Nanoseconds(1)));
      order.push_back(1);
      co_return absl::OkStatus();
    };
    group.Spawn(sleeper());
    co_await Try(Sleep(absl::ZeroDuration()));  // It sleeps now, and in a simulation until all others wait.
    MonotonicTime start = scheduler().Now();
    while (!simulated() && scheduler().Now() == start) continue;
    co_await Try(Yield());
    order.push_back(2);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  if (simulated()) return;  // Its time stands still while something can run.
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_P(YieldTest, InACancelledScopeSaysSoAndStarvesNobody) {
  bool over = false;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto stubborn = [&]() -> Task<absl::Status> {
      while (!over) {
        absl::Status status = co_await Yield();
        EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
      }
      co_return absl::OkStatus();
    };
    auto other = [&]() -> Task<absl::Status> {
      for (int i = 0; i < 10; ++i) co_await Try(Yield());
      over = true;
      co_return absl::OkStatus();
    };
    group.Spawn(stubborn());
    group.Spawn(Shield(other()));
    group.Cancel();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

// It waits for nothing that could be cancelled, and has had its turn.
TEST_P(YieldTest, ThatIsCancelledMeanwhileIsStillOk) {
  auto body = [&]() -> Task<absl::Status> {
    CancelScope scope(co_await CurrentContext());
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      auto cancel = [&]() -> Task<absl::Status> {
        scope.Cancel();
        co_return absl::OkStatus();
      };
      group.Spawn(cancel());
      absl::Status status = co_await Yield();
      EXPECT_TRUE(group.cancelled());
      co_return status;
    };
    co_return co_await internal::InScope(scope, WithTaskGroup(body));
  };
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(YieldTest);

TEST(YieldDeathTest, DestroyedWhileItWaitsEndsTheProcessAndNamesTheCoroutine) {
  EXPECT_DEATH(
      {
        Bench bench(Backend::kSimulated);
        auto yields = []() -> Task<void> { absl::Status status = co_await Yield(); };
        auto& promise = yields().Release();
        Context context = {};
        auto body = [&]() -> Task<void> {
          context = co_await CurrentContext();
          promise.SetContext(context);
          promise.handle().resume();
        };
        bench.Run(body());
        promise.handle().destroy();
      },
      "yield_test.cc.*destroyed while it waits for its turn");
}

}  // namespace
}  // namespace proactor
