// SPDX-License-Identifier: Apache-2.0
//
// The end of a scheduler: shutting down, with who does not end; and the copy of it that a child after fork(2) has.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/buffer_pool.h"
#include "proactor/log.h"
#include "proactor/net/tcp.h"
#include "proactor/run_blocking.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/sync/event.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/backends.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class SchedulerEndTest : public BackendTest {};

std::vector<std::string>* logged = nullptr;

class Logged {
 public:
  Logged() {
    logged = &lines;
    SetLogSink([](LogSeverity, std::string_view line) { logged->emplace_back(line); });
  }
  ~Logged() { SetLogSink(nullptr); }
  std::vector<std::string> lines;
};

// Invariant 1: what cannot be ended is not freed, but waited for.
TEST_P(SchedulerEndTest, AShutdownWithALimitSaysWhoIsLeftAndCanBeRepeated) {
  Event end;
  auto stubborn = [&]() -> Task<absl::Status> { co_return co_await Shield(end.Wait()); };
  auto obedient = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Hours(1)); };
  scheduler().Spawn(stubborn(), "stubborn");
  scheduler().Spawn(obedient(), "obedient");
  for (int i = 0; i < 2; ++i) {
    absl::Status status = scheduler().Shutdown(absl::Milliseconds(2));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded,
                                 HasSubstr("the scheduler is not shut down after 2ms, because of\ntask stubborn\n")));
    EXPECT_THAT(std::string(status.message()), HasSubstr("scheduler_end_test.cc:"));
    EXPECT_THAT(std::string(status.message()), EndsWith("waits for an event"));
    EXPECT_FALSE(scheduler().idle());
  }
  end.Set();
  EXPECT_THAT(scheduler().Shutdown(absl::Seconds(20)), IsOk());
  EXPECT_TRUE(scheduler().idle());
}

TEST_P(SchedulerEndTest, AShutdownTakesNoLongerThanItsTasks) {
  auto polite = []() -> Task<absl::Status> { co_return co_await Shield(Sleep(absl::Milliseconds(1))); };
  scheduler().Spawn(polite());
  EXPECT_THAT(scheduler().Shutdown(absl::Hours(1)), IsOk());
  EXPECT_THAT(scheduler().Shutdown(absl::ZeroDuration()), IsOk()) << "with nothing left to do";
}

TEST_P(SchedulerEndTest, AComplaintNamesAsManyTasksAsFitIntoALogAndSaysThatThereAreMore) {
  Event end;
  auto stubborn = [&]() -> Task<absl::Status> { co_return co_await Shield(end.Wait()); };
  for (int i = 0; i < 1000; ++i) scheduler().Spawn(stubborn());
  absl::Status status = scheduler().Shutdown(absl::ZeroDuration());
  EXPECT_LT(status.message().size(), 5000u);
  EXPECT_THAT(std::string(status.message()), EndsWith("\n... and others"));
  end.Set();
  scheduler().Shutdown();
}

// Takes what has been sent, and leaves the kernel receiving where it does so by itself.
Task<absl::StatusOr<Connection>> ConnectAndReceive(BufferPool& pool) {
  Connection connection = co_await Try(Connect());
  co_await Try(connection.client.WriteAll("1"));
  Buffer chunk = co_await Try(connection.server.Receive(pool));
  EXPECT_EQ(chunk.view(), "1");
  co_return connection;
}

// Nor are the buffers kept that the kernel was to receive into.
TEST_P(SchedulerEndTest, AfterAShutdownNothingIsReceivedForStreamsThatOutliveIt) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 16 * 64});
  absl::StatusOr<Connection> connection = Run(ConnectAndReceive(pool));
  ASSERT_THAT(connection, IsOk());
  std::vector<Buffer> kept;
  auto take_all = [&]() -> Task<absl::Status> {
    while (pool.usage().buffers < 16) {
      co_await Try(connection->client.WriteAll("x"));
      kept.push_back(co_await Try(connection->server.Receive(pool)));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(take_all()), IsOk());
  kept.clear();
  EXPECT_THAT(scheduler().Shutdown(absl::Seconds(20)), IsOk());
  auto clean_up = [&]() -> Task<absl::Status> {
    co_await Try(Shield(connection->client.WriteAll("2")));
    co_await Try(Shield(Sleep(absl::Milliseconds(1))));
    EXPECT_EQ(pool.usage().received, 0);
    Buffer chunk = co_await Try(Shield(connection->server.Receive(pool)));
    EXPECT_EQ(chunk.view(), "2");
    co_await Try(Shield(connection->client.WriteAll("3")));
    Buffer other = co_await Try(Shield(WithTimeout(absl::Seconds(60), connection->server.Receive(pool))));
    EXPECT_EQ(other.view(), "3");
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(clean_up()), IsOk());
}

INSTANTIATE_ON_EVERY_BACKEND(SchedulerEndTest);

// Invariant 1, for memory that no task waits for: the buffers of a stream that nobody reads any more.
TEST(SchedulerEndInTimeTest, AShutdownSaysWhatTheKernelDoesNotEndAndWaitsNoLongerThanItsLimit) {
  auto world = MakeFakeRingWorld({.seed = 1}, {.faults = {.cancel_is_lost = 1}});
  Scheduler& scheduler = world->scheduler();
  BufferPool pool;
  absl::StatusOr<Connection> connection = world->Run(ConnectAndReceive(pool));
  ASSERT_THAT(connection, IsOk());
  for (int i = 0; i < 2; ++i) {
    MonotonicTime start = scheduler.Now();
    EXPECT_THAT(scheduler.Shutdown(absl::Seconds(1)),
                StatusIs(absl::StatusCode::kDeadlineExceeded,
                         "the scheduler is not shut down after 1s, because of\n"
                         "requests to receive or accept ahead that the kernel was asked to end, and has not: 1"));
    EXPECT_EQ(scheduler.Now() - start, absl::Seconds(1));
  }
  connection->server = TcpStream();  // What it receives ends with the stream.
  EXPECT_THAT(scheduler.Shutdown(absl::Seconds(1)), IsOk());
}

// In virtual time: it takes minutes.
TEST(SchedulerEndInTimeTest, AShutdownWithoutALimitComplainsEachTimeAfterTwiceAsLong) {
  for (Backend backend : {Backend::kSimulated, Backend::kFakeIoUring, Backend::kFakeEpoll}) {
    SCOPED_TRACE(BackendName(backend));
    Bench bench(backend);
    Scheduler& scheduler = bench.scheduler();
    Logged log;
    auto stubborn = []() -> Task<absl::Status> { co_return co_await Shield(Sleep(absl::Seconds(100))); };
    scheduler.Spawn(stubborn(), "stubborn");
    MonotonicTime start = scheduler.Now();
    scheduler.Shutdown();
    EXPECT_EQ(scheduler.Now() - start, absl::Seconds(100));
    auto first = AllOf(HasSubstr("after 10s, because of\ntask stubborn"), HasSubstr("sleep for another 1m30s"));
    auto second = AllOf(HasSubstr("after 20s,"), HasSubstr("sleep for another 1m10s"));
    auto third = AllOf(HasSubstr("after 40s,"), HasSubstr("sleep for another 30s"));
    EXPECT_THAT(log.lines, ElementsAre(first, second, third));
    EXPECT_THAT(log.lines, Each(HasSubstr("\nIt waits on: their memory must not be freed while")));
  }
}

// What a thread of the pool has begun with cannot be ended.
class SchedulerEndOnAKernelTest : public BackendTest {};

TEST_P(SchedulerEndOnAKernelTest, AShutdownNamesWhoWaitsForAThread) {
  std::latch end(1);
  std::atomic<bool> begun = false;
  auto look_up = [&]() -> Task<absl::Status> {
    auto function = [&] {
      begun = true;
      end.wait();
    };
    co_return co_await RunBlocking(function);
  };
  scheduler().Spawn(look_up(), "lookup");
  while (!begun) scheduler().Turn(scheduler().Now() + absl::Milliseconds(1));
  EXPECT_THAT(scheduler().Shutdown(absl::Milliseconds(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("task lookup\n"), HasSubstr(", which was asked to end"))));
  end.count_down();
  scheduler().Shutdown();
}

// --- Children after fork(2). ---

constexpr char kInChild[] =
    "A Scheduler(, for .+,)? was used in a child after fork.2. .[0-9]+., but belongs to its parent";

TEST_P(SchedulerEndOnAKernelTest, UseInAChildEndsTheChildWithASentence) {
  auto nothing = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
  auto nap = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Microseconds(1)); };
  EXPECT_DEATH(Run(nap()).IgnoreError(), kInChild) << "before it has run";
  EXPECT_THAT(Run(nap()), IsOk());
  EXPECT_DEATH(Run(nap()).IgnoreError(), kInChild);
  EXPECT_DEATH(scheduler().Turn(MonotonicTime::Past()), kInChild);
  EXPECT_DEATH(scheduler().Spawn(nothing()), kInChild);
  EXPECT_DEATH(scheduler().Post([] {}), kInChild);
  EXPECT_DEATH(scheduler().Cancel(), kInChild);
  EXPECT_THAT(Run(nap()), IsOk()) << "the parent goes on";
}

TEST_P(SchedulerEndOnAKernelTest, DestroyingOneWithATaskInAChildEndsTheChildWithASentence) {
  auto bench = std::make_unique<Bench>(GetParam());
  auto sleeper = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Hours(1)); };
  bench->scheduler().Spawn(sleeper());
  bench->scheduler().Turn(MonotonicTime::Past());
  EXPECT_DEATH(bench.reset(), kInChild);
}

// A child that unwinds the stack. With it go its copies of the descriptors, which epoll knows by the same numbers.
TEST_P(SchedulerEndOnAKernelTest, OneWithoutTasksMayBeDestroyedInAChildAndItsParentGoesOn) {
  auto bench = std::make_unique<Bench>(GetParam());
  BufferPool pool;
  TcpStream client, server;
  auto connect = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    client = co_await Try(TcpStream::Connect(address));
    server = co_await Try(listener.Accept());
    // Busy with a pool, so that the ring knows its file.
    for (int i = 0; i < 20; ++i) {
      co_await Try(client.WriteAll("x"));
      co_await Try(server.Receive(pool));
    }
    char byte;
    absl::StatusOr<size_t> early = co_await WithTimeout(absl::Milliseconds(1), server.Read({&byte, 1}));
    co_return absl::IsDeadlineExceeded(early.status()) ? absl::OkStatus() : early.status();
  };
  EXPECT_THAT(bench->Run(connect()), IsOk());
  pid_t child = fork();
  if (child == 0) {
    client = TcpStream();
    server = TcpStream();
    bench.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  auto exchange = [&](TaskGroup& group) -> Task<absl::Status> {
    auto write = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(1)));
      co_return co_await client.WriteAll("x");
    };
    group.Spawn(write());
    char byte;
    co_await Try(server.Read({&byte, 1}));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench->Run(WithTimeout(absl::Seconds(20), WithTaskGroup(exchange))), IsOk());
}

INSTANTIATE_ON_REAL_BACKENDS(SchedulerEndOnAKernelTest);

// There is nothing of a kernel's to share: tests may let a child go on, as death tests do.
TEST(SchedulerForkTest, ASimulationGoesOnInAChild) {
  for (Backend backend : {Backend::kSimulated, Backend::kFakeIoUring, Backend::kFakeEpoll}) {
    auto bench = std::make_unique<Bench>(backend);
    auto body = []() -> Task<absl::Status> {
      auto sleep = []() -> Task<absl::Status> { co_return co_await Sleep(absl::Hours(1)); };
      auto nothing = [&](TaskGroup& group) -> Task<absl::Status> {
        group.Spawn(sleep());
        group.Cancel();
        co_return absl::OkStatus();
      };
      co_return co_await WithTaskGroup(nothing);
    };
    EXPECT_THAT(bench->Run(body()), IsOk());
    pid_t child = fork();
    if (child == 0) {
      bool ran = bench->Run(body()).ok();
      bench.reset();
      _exit(ran ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << BackendName(backend);
  }
}

}  // namespace
}  // namespace proactor
