// SPDX-License-Identifier: Apache-2.0
#include "proactor/ready.h"

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/net/tcp.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

class StartAndWaitReadyTest : public BackendTest {};
INSTANTIATE_ON_EVERY_BACKEND(StartAndWaitReadyTest);

// As the header shows it.
TEST_P(StartAndWaitReadyTest, AServerSaysWhereItListens) {
  auto server = [](Ready<SocketAddress>& ready) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    ready.Set(co_await Try(listener.LocalAddress()));
    TcpStream stream = co_await Try(listener.Accept());
    co_return co_await stream.WriteAll("!");
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    SocketAddress address = co_await Try(StartAndWaitReady<SocketAddress>(group, server));
    TcpStream stream = co_await Try(TcpStream::Connect(address));
    char byte[1];
    size_t n = co_await Try(stream.Read(byte));
    EXPECT_EQ(std::string_view(byte, n), "!");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(StartAndWaitReadyTest, YieldsWhatTheChildSaysAndTheChildGoesOn) {
  bool ended = false;
  auto child = [&](Ready<std::string>& ready) -> Task<absl::Status> {
    co_await Try(Sleep(absl::Microseconds(10)));
    ready.Set("listening");
    co_await Try(Sleep(absl::Microseconds(10)));
    ended = true;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<std::string>> {
    std::string said = co_await Try(StartAndWaitReady<std::string>(group, child));
    if (ended) co_return absl::InternalError("it has not gone on");
    co_return said;
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOkAndHolds("listening"));
  EXPECT_TRUE(ended);
}

TEST_P(StartAndWaitReadyTest, AChildThatHasNothingToSayIsReadyAllTheSame) {
  auto child = [](Ready<void>& ready) -> Task<absl::Status> {
    ready.Set();
    co_return co_await Sleep(absl::Hours(1));
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    co_await Try(StartAndWaitReady<void>(group, child, {.name = "server"}));
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
}

TEST_P(StartAndWaitReadyTest, AFailureBeforeItIsReadyConcernsWhoStartsItOnly) {
  absl::Status started;
  auto child = [](Ready<int>&) -> Task<absl::Status> {
    co_await Try(Sleep(absl::Microseconds(1)));
    co_return absl::AlreadyExistsError("address in use");
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    started = (co_await StartAndWaitReady<int>(group, child)).status();
    co_return co_await Sleep(absl::Microseconds(10));
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(started, StatusIs(absl::StatusCode::kAlreadyExists, "address in use"));
}

TEST_P(StartAndWaitReadyTest, AChildThatEndsWellWithoutBeingReadyIsAFailureToo) {
  auto child = [](Ready<int>&) -> Task<absl::Status> { co_return absl::OkStatus(); };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    co_return (co_await StartAndWaitReady<int>(group, child)).status();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)),
              StatusIs(absl::StatusCode::kFailedPrecondition, "the child ended before it was ready"));
}

TEST_P(StartAndWaitReadyTest, AFailureAfterwardsIsTheGroups) {
  auto child = [](Ready<int>& ready) -> Task<absl::Status> {
    ready.Set(1);
    co_await Try(Sleep(absl::Microseconds(1)));
    co_return absl::DataLossError("later");
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    co_await Try(StartAndWaitReady<int>(group, child));
    co_return co_await Sleep(absl::Hours(1));
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kDataLoss, "later"));
}

TEST_P(StartAndWaitReadyTest, InACancelledScopeNothingIsStarted) {
  bool ran = false;
  auto child = [&](Ready<int>&) -> Task<absl::Status> {
    ran = true;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Cancel("over");
    co_return (co_await StartAndWaitReady<int>(group, child)).status();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), StatusIs(absl::StatusCode::kCancelled, HasSubstr("over")));
  EXPECT_FALSE(ran);
}

// The child has a copy of the body: nothing that it captures by value is gone when the starter's is.
TEST_P(StartAndWaitReadyTest, TheChildOwnsItsBody) {
  std::string got;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto word = std::make_shared<std::string>("kept");
    auto child = [word, &got](Ready<void>& ready) -> Task<absl::Status> {
      ready.Set();
      co_await Try(Sleep(absl::Microseconds(10)));
      got = *word;
      co_return absl::OkStatus();
    };
    co_return co_await StartAndWaitReady<void>(group, child);
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(got, "kept");
}

class StartAndWaitReadyInTimeTest : public BackendTest {};
INSTANTIATE_ON_VIRTUAL_BACKENDS(StartAndWaitReadyInTimeTest);

TEST_P(StartAndWaitReadyInTimeTest, ACancelledStarterCancelsTheChildAndAwaitsIt) {
  absl::Status ended, started;
  auto child = [&](Ready<int>&) -> Task<absl::Status> {
    ended = co_await Sleep(absl::Hours(1));
    co_await Try(Shield(Sleep(absl::Seconds(3))));
    co_return ended;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    started = (co_await WithTimeout(absl::Seconds(1), StartAndWaitReady<int>(group, child))).status();
    EXPECT_EQ(Elapsed(), absl::Seconds(4));
    co_return co_await Sleep(absl::Seconds(1));
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(started, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kCancelled, HasSubstr("its start was cancelled")));
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

// Completion beats cancellation.
TEST_P(StartAndWaitReadyInTimeTest, AChildThatIsReadyInSpiteOfACancellationIsDelivered) {
  auto child = [&](Ready<int>& ready) -> Task<absl::Status> {
    static_cast<void>(co_await Sleep(absl::Hours(1)));
    ready.Set(7);
    co_return co_await Sleep(absl::Hours(1));
  };
  auto body = [&](TaskGroup& group) -> Task<absl::StatusOr<int>> {
    absl::StatusOr<int> value = co_await WithTimeout(absl::Seconds(1), StartAndWaitReady<int>(group, child));
    co_await Try(Sleep(absl::Seconds(1)));
    co_return value;
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOkAndHolds(7));
  EXPECT_EQ(Elapsed(), absl::Seconds(2));
}

TEST_P(StartAndWaitReadyInTimeTest, AChildInLineIsCancelledAsSoonAsItRuns) {
  absl::Status ended;
  auto child = [&](Ready<int>& ready) -> Task<absl::Status> {
    ended = co_await Sleep(absl::Hours(1));
    if (ended.ok()) ready.Set(1);
    co_return ended;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn([]() -> Task<absl::Status> { co_return co_await Sleep(absl::Seconds(5)); });
    absl::StatusOr<int> value = co_await WithTimeout(absl::Seconds(1), StartAndWaitReady<int>(group, child));
    EXPECT_THAT(value, StatusIs(absl::StatusCode::kDeadlineExceeded));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body, {.max_running = 1})), IsOk());
  EXPECT_THAT(ended, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

TEST(StartAndWaitReadyDeathTest, ReadyTwiceEndsTheProcessWithASentence) {
  auto child = [](Ready<int>& ready) -> Task<absl::Status> {
    ready.Set(1);
    ready.Set(2);
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    co_return (co_await StartAndWaitReady<int>(group, child)).status();
  };
  EXPECT_DEATH(SimulatedWorld().Run(WithTaskGroup(body)), "Ready::Set was called twice");
}

}  // namespace
}  // namespace proactor
