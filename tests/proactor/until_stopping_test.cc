// SPDX-License-Identifier: Apache-2.0
#include "proactor/until_stopping.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/errors.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/sync/channel.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class UntilStoppingTest : public BackendTest {};

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[64];
  while (size_t n = co_await Try(stream.Read(buffer))) co_await Try(stream.WriteAll({buffer, n}));
  co_return absl::OkStatus();
}

// What it is for: connections go on to their own end, and nobody new is let in.
TEST_P(UntilStoppingTest, AnAcceptLoopEndsAndItsConnectionsGoOn) {
  int accepted = 0;
  bool ended = false;
  auto body = [&](TaskGroup& service) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    auto serve = [&]() -> Task<absl::Status> {
      while (std::optional<TcpStream> stream = co_await Try(UntilStopping(listener.Accept()))) {
        ++accepted;
        service.Spawn(Echo(*std::move(stream)));
      }
      ended = true;
      co_return absl::OkStatus();
    };
    service.Spawn(serve());
    TcpStream client = co_await Try(TcpStream::Connect(address));
    while (accepted == 0) co_await Try(Sleep(absl::Microseconds(10)));
    service.scope().StopSoon();
    // An accept in flight may still take a connection until it has ended.
    while (!ended) co_await Try(Sleep(absl::Microseconds(10)));
    // In the listener's queue for ever: what the loop has not been given does not count as having happened.
    TcpStream late = co_await Try(TcpStream::Connect(address));
    char reply;
    for (int i = 0; i < 3; ++i) {
      co_await Try(client.WriteAll("x"));
      size_t n = co_await Try(client.Read({&reply, 1}));
      EXPECT_EQ(n, 1u);
    }
    EXPECT_FALSE(service.cancelled());
    co_await Try(client.Shutdown(ShutdownHow::kWrite));
    co_await service.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(accepted, 1);
}

TEST_P(UntilStoppingTest, IsLevelTriggeredAndNeverBegins) {
  bool began = false;
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    auto work = [&]() -> Task<absl::Status> {
      absl::Status status = co_await Sleep(absl::Hours(1));
      began = status.ok();
      co_return status;
    };
    scope.StopSoon();
    scope.StopSoon();
    EXPECT_TRUE(scope.stopping());
    EXPECT_FALSE(scope.cancelled());
    for (int i = 0; i < 100; ++i) {
      absl::StatusOr<bool> happened = co_await UntilStopping(work());
      EXPECT_THAT(happened, IsOkAndHolds(false));
    }
    // Everything else goes on.
    co_return co_await Sleep(absl::Microseconds(1));
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
  EXPECT_FALSE(began);
}

TEST_P(UntilStoppingTest, FlowsDownTheTreeIntoShieldsAndNotUp) {
  absl::StatusOr<bool> nested, shielded;
  absl::StatusOr<std::optional<bool>> twice_told = std::optional<bool>(true);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto wait = []() -> Task<absl::StatusOr<bool>> { co_return co_await UntilStopping(Sleep(absl::Hours(1))); };
    auto plain = [&]() -> Task<absl::Status> {
      nested = co_await WithTimeout(absl::Hours(1), wait());
      co_return absl::OkStatus();
    };
    auto in_shield = [&]() -> Task<absl::Status> {
      shielded = co_await Shield(wait());
      co_return absl::OkStatus();
    };
    auto twice = [&]() -> Task<absl::Status> {
      twice_told = co_await UntilStopping(wait());
      co_return absl::OkStatus();
    };
    auto scoped = [&](TaskGroup& inner) -> Task<absl::Status> {
      inner.Spawn(plain());
      inner.Spawn(in_shield());
      inner.Spawn(twice());
      co_await Try(Sleep(absl::Microseconds(1)));
      inner.scope().StopSoon();
      CancelScope late(inner.scope().context());
      EXPECT_TRUE(late.stopping());
      co_await inner.Join();
      co_return absl::OkStatus();
    };
    co_await Try(WithTaskGroup(scoped));
    EXPECT_FALSE(group.scope().stopping());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(nested, IsOkAndHolds(false));
  EXPECT_THAT(shielded, IsOkAndHolds(false));
  EXPECT_THAT(twice_told, IsOkAndHolds(std::nullopt)) << "the one around ends all that is in it";
}

TEST_P(UntilStoppingTest, WhatHappenedIsDelivered) {
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    auto stubborn = [&]() -> Task<absl::StatusOr<std::string>> {
      scope.StopSoon();
      absl::Status stopped = co_await Sleep(absl::Hours(1));
      EXPECT_THAT(stopped, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (stopping)"));
      co_return "value";
    };
    absl::StatusOr<std::optional<std::string>> value = co_await UntilStopping(stubborn());
    EXPECT_THAT(value, IsOkAndHolds(::testing::Optional(std::string("value"))));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
}

TEST_P(UntilStoppingTest, AFailureAndHowFarItGotAreDelivered) {
  auto failing = [&](CancelScope& scope) -> Task<absl::Status> {
    auto work = [&]() -> Task<absl::Status> {
      scope.StopSoon();
      co_return absl::DataLossError("lost");
    };
    absl::StatusOr<bool> result = co_await UntilStopping(work());
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kDataLoss));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCancelScope(failing)), IsOk());
  for (size_t bytes : {0u, 3u}) {
    auto partial = [&](CancelScope& scope) -> Task<absl::Status> {
      auto work = [&]() -> Task<absl::Status> {
        scope.StopSoon();
        absl::Status status = co_await Sleep(absl::Hours(1));
        co_return WithBytesTransferred(status, bytes);
      };
      absl::StatusOr<bool> result = co_await UntilStopping(work());
      if (bytes == 0) {
        EXPECT_THAT(result, IsOkAndHolds(false));
      } else {
        EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled));
        EXPECT_EQ(BytesTransferred(result.status()), bytes);
      }
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithCancelScope(partial)), IsOk());
  }
}

TEST_P(UntilStoppingTest, ACancellationIsToldApart) {
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    scope.StopSoon();
    scope.Cancel("shutting down");
    absl::StatusOr<bool> result = co_await UntilStopping(Sleep(absl::Hours(1)));
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled, "sleep: Operation canceled (shutting down)"));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
}

TEST_P(UntilStoppingTest, WhatCannotFailIsAlwaysDelivered) {
  auto body = [&]() -> Task<absl::Status> {
    auto number = []() -> Task<int> { co_return 3; };
    auto nothing = []() -> Task<void> { co_return; };
    absl::StatusOr<std::optional<int>> value = co_await UntilStopping(number());
    EXPECT_THAT(value, IsOkAndHolds(::testing::Optional(3)));
    absl::StatusOr<bool> ran = co_await UntilStopping(nothing());
    EXPECT_THAT(ran, IsOkAndHolds(true));
    absl::StatusOr<bool> slept = co_await UntilStopping(Sleep(absl::Microseconds(1)));
    EXPECT_THAT(slept, IsOkAndHolds(true));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

// An end is something that happened, and not the same as stopping.
TEST_P(UntilStoppingTest, TheEndOfAChannelIsToldApartFromStopping) {
  Channel<int> channel(1);
  auto body = [&](CancelScope& scope) -> Task<absl::Status> {
    channel.TrySend(7);
    channel.Close();
    std::optional<std::optional<int>> value = co_await Try(UntilStopping(channel.Receive()));
    EXPECT_EQ(value, std::optional(std::optional(7)));
    value = co_await Try(UntilStopping(channel.Receive()));
    EXPECT_TRUE(value.has_value() && !value->has_value());
    scope.StopSoon();
    value = co_await Try(UntilStopping(channel.Receive()));
    EXPECT_FALSE(value.has_value());
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithCancelScope(body)), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(UntilStoppingTest);

}  // namespace
}  // namespace proactor
