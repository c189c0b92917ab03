// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_proactor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/cancellation.h"
#include "proactor/descriptor.h"
#include "proactor/errors.h"
#include "proactor/operation/close.h"
#include "proactor/operation/open.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/read.h"
#include "proactor/operation/write_all.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kSeeds = 50;
constexpr char kManyBytes[5000] = {};

// A system, a proactor and a scheduler.
struct Simulation {
  explicit Simulation(SimulationOptions options = {})
      : system(options), proactor(new SimulatedProactor(system)), scheduler(std::unique_ptr<Proactor>(proactor)) {}

  absl::Duration Elapsed() const { return proactor->Now() - SimulatedClock::kStart; }

  SimulatedSystem system;
  SimulatedProactor* proactor;  // The scheduler's.
  Scheduler scheduler;
};

struct Pipe {
  explicit Pipe(SimulatedSystem& system) : Pipe(system, system.MakePipe()) {}
  Pipe(SimulatedSystem& system, std::pair<int, int> ends)
      : reader(system, ends.first, DescriptorKind::kPipe), writer(system, ends.second, DescriptorKind::kPipe) {}

  Operation<ReadOp> Read(std::span<char> buffer) {
    return MakeOperation(ReadOp{{.descriptor = reader.get(), .buffer = buffer}});
  }
  Operation<WriteAllOp> WriteAll(std::string_view bytes) {
    return MakeOperation(WriteAllOp{{.descriptor = writer.get(), .bytes = bytes}});
  }

  OwnedDescriptor reader;
  OwnedDescriptor writer;
};

Task<absl::StatusOr<std::string>> ReadToEnd(Pipe& pipe) {
  std::string text;
  char buffer[100];
  while (size_t n = co_await Try(pipe.Read(buffer))) text.append(buffer, n);
  co_return text;
}

Task<absl::Status> WriteAndEnd(Pipe& pipe, std::string_view text) {
  co_await Try(pipe.WriteAll(text));
  pipe.writer = OwnedDescriptor();
  co_return absl::OkStatus();
}

TEST(SimulatedProactorTest, TransfersEveryByteInOrder) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>('a' + i % 26);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation({.seed = seed, .buffer_size = 700});
    Pipe pipe(simulation.system);
    std::string received;
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(WriteAndEnd(pipe, text));
      received = co_await Try(ReadToEnd(pipe));
      co_return absl::OkStatus();
    };
    absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
    EXPECT_THAT(status, IsOk());
    EXPECT_EQ(received, text);
    EXPECT_EQ(simulation.Elapsed(), absl::ZeroDuration());
  }
}

TEST(SimulatedProactorTest, TimeJumpsWhenNothingElseCanHappen) {
  Simulation simulation;
  absl::Status status = simulation.scheduler.Run([]() -> Task<absl::Status> {
    co_await Try(Sleep(absl::Hours(1000)));
    co_await Try(Sleep(absl::Nanoseconds(1)));
    co_return absl::OkStatus();
  }());
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(simulation.Elapsed(), absl::Hours(1000) + absl::Nanoseconds(1));
  EXPECT_EQ(simulation.proactor->WallTime(), absl::FromUnixSeconds(1'893'456'000) + simulation.Elapsed());
}

TEST(SimulatedProactorTest, WaitsNoLongerThanItIsTold) {
  Simulation simulation;
  simulation.scheduler.Spawn([]() -> Task<absl::Status> { co_return co_await Sleep(absl::Seconds(10)); }());
  simulation.scheduler.Turn(simulation.proactor->Now() + absl::Seconds(3));
  EXPECT_EQ(simulation.Elapsed(), absl::Seconds(3));
  simulation.scheduler.Turn(MonotonicTime::Past());
  EXPECT_EQ(simulation.Elapsed(), absl::Seconds(3));
  simulation.scheduler.Turn(simulation.proactor->Now() + absl::Seconds(100));
  EXPECT_EQ(simulation.Elapsed(), absl::Seconds(10));
}

TEST(SimulatedProactorTest, AnOperationThatCanBeDoneAtOnceStillCompletesInALaterStep) {
  Simulation simulation({.short_transfers = false, .interruptions = false});
  Pipe pipe(simulation.system);
  bool written = false;
  auto write = [&]() -> Task<absl::Status> {
    co_await Try(pipe.WriteAll("x"));
    written = true;
    co_return absl::OkStatus();
  };
  simulation.scheduler.Spawn(write());
  simulation.scheduler.Turn(MonotonicTime::Past());
  EXPECT_FALSE(written);
  simulation.scheduler.Turn(MonotonicTime::Past());
  EXPECT_TRUE(written);
}

// The order in which four readers, all of which can go on, get their byte.
std::string OrderOfReaders(SimulationOptions options) {
  Simulation simulation(options);
  std::vector<std::unique_ptr<Pipe>> pipes;
  std::string order;
  auto read = [&](size_t number) -> Task<absl::Status> {
    char byte;
    co_await Try(pipes[number]->Read(std::span(&byte, 1)));
    order += byte;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (size_t i = 0; i < 4; ++i) {
      pipes.push_back(std::make_unique<Pipe>(simulation.system));
      char byte = static_cast<char>('a' + i);
      co_await Try(pipes[i]->WriteAll(std::string_view(&byte, 1)));
    }
    for (size_t i = 0; i < 4; ++i) group.Spawn(read(i));
    co_return absl::OkStatus();
  };
  absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
  return order;
}

TEST(SimulatedProactorTest, TheSeedDecidesWhoIsFirst) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    std::string order = OrderOfReaders({.seed = seed});
    EXPECT_EQ(order, OrderOfReaders({.seed = seed}));
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 4 * 3 * 2);
}

TEST(SimulatedProactorTest, LatencyTakesTimeInQuarters) {
  std::set<absl::Duration> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation(
        {.seed = seed, .short_transfers = false, .interruptions = false, .max_latency = absl::Milliseconds(4)});
    Pipe pipe(simulation.system);
    absl::Status status = simulation.scheduler.Run(WriteAndEnd(pipe, "x"));
    EXPECT_THAT(status, IsOk());
    seen.insert(simulation.Elapsed());
  }
  EXPECT_THAT(seen, UnorderedElementsAre(absl::Milliseconds(0), absl::Milliseconds(1), absl::Milliseconds(2),
                                         absl::Milliseconds(3), absl::Milliseconds(4)));
}

TEST(SimulatedProactorTest, EachPartOfAWriteTakesItsTime) {
  Simulation simulation({.buffer_size = 100, .max_latency = absl::Milliseconds(4)});
  Pipe pipe(simulation.system);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(WriteAndEnd(pipe, std::string_view(kManyBytes, sizeof(kManyBytes))));
    // Without latency of its own: what takes time is the writer.
    char buffer[100];
    for (size_t read = 0; read < sizeof(kManyBytes);) {
      int n = simulation.system.Read(pipe.reader->number, buffer, sizeof(buffer), -1);
      if (n > 0) read += static_cast<size_t>(n);
      if (n == -EAGAIN) co_await Try(Sleep(absl::Microseconds(100)));
    }
    co_return absl::OkStatus();
  };
  absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
  EXPECT_GT(simulation.Elapsed(), absl::Milliseconds(40));
}

TEST(SimulatedProactorTest, OneWaitMayBringSomeOfTheResultsOrAll) {
  std::set<int64_t> counts;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Simulation simulation({.seed = seed, .short_transfers = false, .interruptions = false});
    Pipe pipes[] = {Pipe(simulation.system), Pipe(simulation.system), Pipe(simulation.system)};
    for (Pipe& pipe : pipes) simulation.scheduler.Spawn(WriteAndEnd(pipe, "x"));
    simulation.scheduler.Turn(MonotonicTime::Past());  // Submits the writes, and brings results.
    simulation.scheduler.Turn(MonotonicTime::Past());  // Takes the results.
    counts.insert(simulation.scheduler.counters().completions.value());
    // The tasks must not outlive the pipes.
    simulation.scheduler.Shutdown();
  }
  EXPECT_THAT(counts, UnorderedElementsAre(1, 2, 3));
}

// A read that waits, and in the same moment the byte and the cancellation. What became of each.
struct Race {
  absl::Status read;
  size_t left_in_pipe = 0;
};

Race RaceCancellationAgainstByte(SimulationOptions options) {
  Simulation simulation(options);
  Pipe pipe(simulation.system);
  Race race;
  auto read = [&]() -> Task<absl::Status> {
    char byte;
    absl::StatusOr<size_t> n = co_await pipe.Read(std::span(&byte, 1));
    race.read = n.status();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(read());
    co_await Try(Sleep(absl::Seconds(1)));
    // Directly, so that the byte is there before the proactor hears of the cancellation.
    while (simulation.system.Write(pipe.writer->number, "x", 1, -1) < 0) {
    }
    group.Cancel();
    co_return absl::OkStatus();
  };
  absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
  pipe.writer = OwnedDescriptor();
  absl::StatusOr<std::string> rest = simulation.scheduler.Run(ReadToEnd(pipe));
  EXPECT_THAT(rest, IsOk());
  race.left_in_pipe = rest.ok() ? rest->size() : 0;
  return race;
}

TEST(SimulatedProactorTest, ACancellationAndAResultMayWinBothAndNoByteIsLost) {
  for (absl::Duration latency : {absl::ZeroDuration(), absl::Seconds(1)}) {
    int cancelled = 0;
    int read = 0;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      Race race = RaceCancellationAgainstByte({.seed = seed, .max_latency = latency});
      if (race.read.ok()) {
        ++read;
        EXPECT_EQ(race.left_in_pipe, 0);
      } else {
        ++cancelled;
        EXPECT_THAT(race.read, StatusIs(absl::StatusCode::kCancelled));
        EXPECT_EQ(race.left_in_pipe, 1);
      }
    }
    EXPECT_GT(cancelled, 0);
    EXPECT_GT(read, 0);
  }
}

TEST(SimulatedProactorTest, ACancelledWriteTellsHowFarItGot) {
  std::set<size_t> progress;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation({.seed = seed, .buffer_size = 100, .max_latency = absl::Seconds(1)});
    Pipe pipe(simulation.system);
    std::string text(1000, 'x');
    absl::Status written;
    auto write = [&]() -> Task<absl::Status> {
      written = co_await pipe.WriteAll(text);
      pipe.writer = OwnedDescriptor();
      co_return absl::OkStatus();
    };
    absl::StatusOr<std::string> received;
    auto read = [&]() -> Task<absl::Status> {
      received = co_await Shield(ReadToEnd(pipe));
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(write());
      group.Spawn(read());
      co_await Try(Sleep(absl::Seconds(3)));
      group.Cancel();
      co_return absl::OkStatus();
    };
    absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
    EXPECT_THAT(status, IsOk());
    ASSERT_THAT(received, IsOk());
    if (written.ok()) {
      EXPECT_EQ(received->size(), text.size());
    } else {
      EXPECT_THAT(written, StatusIs(absl::StatusCode::kCancelled));
      EXPECT_EQ(BytesTransferred(written), received->size());
    }
    progress.insert(received->size());
  }
  EXPECT_GT(progress.size(), 10) << "the cancellation should come at many different moments";
}

TEST(SimulatedProactorTest, ATimeoutOfZeroLetsAReadThatCanSucceedDoSo) {
  for (absl::Duration latency : {absl::ZeroDuration(), absl::Seconds(1)}) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      Simulation simulation({.seed = seed, .max_latency = latency});
      Pipe pipe(simulation.system);
      char byte;
      auto read = [&]() -> Task<absl::StatusOr<size_t>> {
        co_await Try(pipe.WriteAll("x"));
        co_return co_await WithTimeout(absl::ZeroDuration(), pipe.Read(std::span(&byte, 1)));
      };
      absl::StatusOr<size_t> n = simulation.scheduler.Run(read());
      EXPECT_THAT(n, IsOkAndHolds(1));
    }
  }
}

TEST(SimulatedProactorTest, ATimeoutEndsAReadThatCannotSucceed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation({.seed = seed});
    Pipe pipe(simulation.system);
    char byte;
    absl::StatusOr<size_t> n = simulation.scheduler.Run(WithTimeout(absl::Seconds(5), pipe.Read(std::span(&byte, 1))));
    EXPECT_THAT(n, StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(simulation.Elapsed(), absl::Seconds(5));
  }
}

TEST(SimulatedProactorTest, ACloseThatIsCancelledBeforeItBeganIsLeftToTheOwner) {
  int cancelled = 0;
  int closed = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation({.seed = seed, .max_latency = absl::Seconds(1)});
    {
      Pipe pipe(simulation.system);
      auto close = [&]() -> Task<absl::Status> {
        co_return co_await WithTimeout(absl::ZeroDuration(), MakeOperation(CloseOp{.descriptor = pipe.reader.get()}));
      };
      absl::Status status = simulation.scheduler.Run(close());
      ++(status.ok() ? closed : cancelled);
      EXPECT_EQ(simulation.system.open_descriptors(), status.ok() ? 1 : 2);
    }
    EXPECT_EQ(simulation.system.open_descriptors(), 0);
  }
  EXPECT_GT(cancelled, 5);
  EXPECT_GT(closed, 5);
}

TEST(SimulatedProactorTest, AThousandCancellationsAtOnceAllArrive) {
  Simulation simulation({.max_latency = absl::Seconds(1)});
  std::vector<std::unique_ptr<Pipe>> pipes;
  int ended = 0;
  auto read = [&](Pipe& pipe) -> Task<absl::Status> {
    char byte;
    absl::StatusOr<size_t> n = co_await pipe.Read(std::span(&byte, 1));
    EXPECT_THAT(n, StatusIs(absl::StatusCode::kCancelled));
    ++ended;
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 1000; ++i) {
      pipes.push_back(std::make_unique<Pipe>(simulation.system));
      group.Spawn(read(*pipes.back()));
    }
    co_await Try(Sleep(absl::Seconds(2)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(ended, 1000);
  EXPECT_LE(simulation.Elapsed(), absl::Seconds(3));
}

TEST(SimulatedProactorTest, OneMayWorkWhileAThousandWait) {
  Simulation simulation;
  std::vector<std::unique_ptr<Pipe>> idle;
  Pipe busy(simulation.system);
  auto wait = [](Pipe& pipe) -> Task<absl::Status> {
    char byte;
    static_cast<void>(co_await pipe.Read(std::span(&byte, 1)));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 1000; ++i) {
      idle.push_back(std::make_unique<Pipe>(simulation.system));
      group.Spawn(wait(*idle.back()));
    }
    for (int i = 0; i < 2000; ++i) {
      char byte;
      co_await Try(busy.WriteAll("x"));
      co_await Try(busy.Read(std::span(&byte, 1)));
    }
    group.Cancel();
    co_return absl::OkStatus();
  };
  absl::Status status = simulation.scheduler.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
}

TEST(SimulatedProactorTest, ADeadlockIsReported) {
  Simulation simulation;
  Pipe pipe(simulation.system);
  int deadlocks = 0;
  simulation.proactor->OnDeadlock([&] {
    ++deadlocks;
    simulation.scheduler.Cancel();
  });
  absl::StatusOr<std::string> text = simulation.scheduler.Run(ReadToEnd(pipe));
  EXPECT_THAT(text, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(deadlocks, 1);
}

TEST(SimulatedProactorDeathTest, ADeadlockThatNobodyHearsOfEndsTheProcess) {
  Simulation simulation;
  Pipe pipe(simulation.system);
  EXPECT_DEATH(static_cast<void>(simulation.scheduler.Run(ReadToEnd(pipe))),
               "Deadlock: .*nothing is left to happen. In flight:\n  read on descriptor 3");
}

TEST(SimulatedProactorTest, AWakeFromAnotherThreadMakesTheNextWaitReturn) {
  Simulation simulation;
  simulation.proactor->OnDeadlock([] { ADD_FAILURE() << "this was no wait for ever"; });
  std::thread([&] { simulation.proactor->Wake(); }).join();
  simulation.proactor->Wait(MonotonicTime::Infinite());
  EXPECT_EQ(simulation.Elapsed(), absl::ZeroDuration());
}

TEST(SimulatedProactorTest, AWakeComesBeforeTimePasses) {
  Simulation simulation;
  simulation.proactor->Wake();
  simulation.proactor->Wait(simulation.proactor->Now() + absl::Seconds(1));
  EXPECT_EQ(simulation.Elapsed(), absl::ZeroDuration());
  simulation.proactor->Wait(simulation.proactor->Now() + absl::Seconds(1));
  EXPECT_EQ(simulation.Elapsed(), absl::Seconds(1));
}

TEST(SimulatedProactorTest, FailuresAreResults) {
  Simulation simulation;
  auto open = [&]() -> Task<absl::Status> {
    auto operation = MakeOperation(OpenOp{.system = &simulation.system, .path = "missing", .flags = O_RDONLY});
    absl::StatusOr<OwnedDescriptor> file = co_await std::move(operation);
    co_return file.status();
  };
  absl::Status status = simulation.scheduler.Run(open());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, HasSubstr("No such file")));
  EXPECT_EQ(simulation.proactor->name(), "simulated");
}

}  // namespace
}  // namespace proactor
