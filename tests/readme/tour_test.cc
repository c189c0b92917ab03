// SPDX-License-Identifier: Apache-2.0
//
// The code of README.md's tour, as it stands there, and what is said about it there.
#ifndef __clang__
// GCC takes the tour, which is included, for a header that others include too.
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif

#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/buffer_pool.h"
#include "proactor/fs/file.h"
#include "proactor/net/address.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::Not;

Task<absl::Status> Forward(TcpStream& from, TcpStream& to);

#include "tests/readme/tour.inc"

Task<absl::Status> Forward(TcpStream& from, TcpStream& to) {
  char buffer[4096];
  while (size_t n = co_await Try(from.Read(buffer))) {
    co_await Try(to.WriteAll({buffer, n}));
  }
  co_return to.Shutdown(ShutdownHow::kWrite);
}

TEST(ReadmeTest, WhatIsReceivedIntoAPoolIsSentBack) {
  SimulatedWorld world;
  BufferPool pool;
  std::string received;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(7000)));
    TcpStream client = co_await Try(TcpStream::Connect(SocketAddress::Loopback(7000)));
    group.Spawn(EchoFromPool(co_await Try(listener.Accept()), pool));
    co_await Try(client.WriteAll("many bytes"));
    co_await Try(client.Shutdown(ShutdownHow::kWrite));
    char buffer[100];
    while (size_t n = co_await Try(client.Read(buffer))) received.append(buffer, n);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(received, "many bytes");
}

TEST(ReadmeTest, AMissingGreetingIsNoError) {
  SimulatedWorld world;
  EXPECT_THAT(world.Run(ReadGreeting("greeting")), IsOkAndHolds("Hello"));
}

TEST(ReadmeTest, AGreetingIsRead) {
  SimulatedWorld world({.short_transfers = false});
  world.system().WriteFile("greeting", "Good morning");
  EXPECT_THAT(world.Run(ReadGreeting("greeting")), IsOkAndHolds("Good morning"));
}

TEST(ReadmeTest, AnotherErrorOfTheGreetingIsPassedOn) {
  for (SimulatedCall call : {SimulatedCall::kOpen, SimulatedCall::kRead}) {
    SimulatedWorld world;
    world.system().WriteFile("greeting", "Good morning");
    world.system().FailNext(call, EIO);
    EXPECT_THAT(world.Run(ReadGreeting("greeting")), Not(IsOk()));
  }
}

TEST(ReadmeTest, AServerThatComesUpLateIsConnectedTo) {
  SimulatedWorld world;
  auto body = [](TaskGroup& group) -> Task<absl::Status> {
    auto serve_late = []() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Seconds(2)));
      TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(7000)));
      TcpStream stream = co_await Try(listener.Accept());
      co_return absl::OkStatus();
    };
    group.Spawn(serve_late());
    TcpStream stream = co_await Try(ConnectPatiently(SocketAddress::Loopback(7000)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(world.Elapsed(), absl::Seconds(1 + 2));
}

struct Connection {
  TcpStream near;
  TcpStream far;
};

Task<absl::StatusOr<Connection>> Connect() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  Connection connection;
  connection.near = co_await Try(TcpStream::Connect(address));
  connection.far = co_await Try(listener.Accept());
  co_return connection;
}

Task<absl::StatusOr<std::string>> ReadToEnd(TcpStream& stream) {
  std::string text;
  char buffer[10];
  while (size_t n = co_await Try(stream.Read(buffer))) text.append(buffer, n);
  co_return text;
}

TEST(ReadmeTest, ARelayForwardsBothWaysToTheEnd) {
  std::string question, answer;
  auto body = [&]() -> Task<absl::Status> {
    Connection left = co_await Try(Connect());
    Connection right = co_await Try(Connect());
    auto serve = [&]() -> Task<absl::Status> {
      question = co_await Try(ReadToEnd(right.far));
      co_await Try(right.far.WriteAll("forty-two"));
      co_return right.far.Shutdown(ShutdownHow::kWrite);
    };
    co_return co_await WithTaskGroup([&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(Relay(left.far, right.near));
      group.Spawn(serve());
      co_await Try(left.near.WriteAll("What is the answer?"));
      co_await Try(left.near.Shutdown(ShutdownHow::kWrite));
      answer = co_await Try(ReadToEnd(left.near));
      co_return absl::OkStatus();
    });
  };
  SimulatedWorld world;
  EXPECT_THAT(world.Run(body()), IsOk());
  EXPECT_EQ(question, "What is the answer?");
  EXPECT_EQ(answer, "forty-two");
}

TEST(ReadmeTest, ARelayEndsWithItsFirstFailure) {
  auto body = []() -> Task<absl::Status> {
    Connection left = co_await Try(Connect());
    Connection right = co_await Try(Connect());
    co_await Try(left.near.WriteAll("nobody will read this"));
    right.far = TcpStream();  // With bytes on their way to it: they are answered with a reset.
    co_return co_await Relay(left.far, right.near);
  };
  SimulatedWorld world;
  EXPECT_THAT(world.Run(body()), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace proactor
