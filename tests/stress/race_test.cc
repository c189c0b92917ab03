// SPDX-License-Identifier: Apache-2.0
//
// Completion, cancellation and deadline at every relative moment, for every operation, with every byte and every
// descriptor accounted for.
//
// Each scenario runs many times. Simulated, a seed decides when results, deadlines and cancellations meet, and the
// world checks at its end that no descriptor is left; on io_uring the moments are what real time makes of random
// delays. $PROACTOR_SEEDS sets how many runs (simulated; a tenth of it on io_uring), for a long search.
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/net/tcp.h"
#include "proactor/scheduler.h"
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

// What one race has to work with.
class Race {
 public:
  Race(Scheduler& scheduler, uint64_t seed, std::string directory)
      : scheduler(scheduler), directory(std::move(directory)), random_(seed) {}

  int Below(int limit) { return static_cast<int>(random_() % static_cast<uint64_t>(limit)); }
  absl::Duration Moment() { return absl::Microseconds(Below(25)); }
  // Mostly soon enough to meet the operation, sometimes late enough to let it pass.
  absl::Duration Deadline() { return Below(4) == 0 ? absl::Seconds(10) : Moment(); }

  // Awaits under a deadline, in a scope that something else cancels at some moment, or both.
  template <class A>
  Task<internal::AwaitResult<A>> Interrupted(A awaitable) {
    CancelScope scope(co_await CurrentContext());
    scope.SetTimeout(Deadline());
    internal::AwaitResult<A> result = co_await internal::InScope(scope, WithTimeout(Deadline(), std::move(awaitable)));
    ++(result.ok() ? completed : interrupted);
    co_return result;
  }

  int completed = 0;
  int interrupted = 0;

  Scheduler& scheduler;
  const std::string directory;

 private:
  std::mt19937_64 random_;
};

bool Interruption(const absl::Status& status) { return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status); }

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

struct Connection {
  TcpStream client;
  TcpStream server;
};

Task<absl::StatusOr<Connection>> Connect() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  Connection connection;
  connection.client = co_await Try(TcpStream::Connect(address));
  connection.server = co_await Try(listener.Accept());
  co_return connection;
}

// Reads, some interrupted, until the end of the stream; whatever is not an interruption must be bytes.
Task<absl::StatusOr<std::string>> ReadInterrupted(Race& race, TcpStream& stream) {
  std::string all;
  char buffer[64];
  while (true) {
    absl::StatusOr<size_t> n =
        co_await race.Interrupted(stream.Read({buffer, 1 + static_cast<size_t>(race.Below(64))}));
    if (!n.ok() && !Interruption(n.status())) co_return n.status();
    if (!n.ok()) {
      // Give time, which in a simulation passes only when somebody waits for it, a chance.
      co_await Try(Sleep(absl::Microseconds(1)));
      continue;
    }
    if (*n == 0) co_return all;
    all.append(buffer, *n);
  }
}

Task<absl::Status> Streams(Race& race) {
  Connection connection = co_await Try(Connect());
  const std::string sent = Pattern(3000);
  std::string received;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto writer = [&]() -> Task<absl::Status> {
      std::string_view rest = sent;
      while (!rest.empty()) {
        std::string_view piece = rest.substr(0, 1 + static_cast<size_t>(race.Below(500)));
        absl::Status status = co_await race.Interrupted(connection.client.WriteAll(piece));
        if (!status.ok() && !Interruption(status)) co_return status;
        // An interrupted write that never started has moved nothing.
        rest.remove_prefix(status.ok() ? piece.size() : BytesTransferred(status).value_or(0));
        co_await Try(Sleep(race.Moment()));
      }
      co_return connection.client.Shutdown(ShutdownHow::kWrite);
    };
    group.Spawn(writer());
    received = co_await Try(ReadInterrupted(race, connection.server));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return received == sent ? absl::OkStatus() : absl::DataLossError("bytes were lost, repeated or mixed up");
}

Task<absl::Status> Connections(Race& race) {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  constexpr int kConnections = 8;
  int served = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto client = [&]() -> Task<absl::Status> {
      while (true) {
        absl::StatusOr<TcpStream> stream = co_await race.Interrupted(TcpStream::Connect(address));
        if (stream.ok()) {
          char byte;
          co_await Try(stream->WriteAll("?"));
          size_t n = co_await Try(stream->Read({&byte, 1}));
          co_return n == 1 ? absl::OkStatus() : absl::InternalError("the server hung up without an answer");
        }
        if (!Interruption(stream.status())) co_return stream.status();
        co_await Try(Sleep(absl::Microseconds(1)));
      }
    };
    for (int i = 0; i < kConnections; ++i) group.Spawn(client());
    while (served < kConnections) {
      absl::StatusOr<TcpStream> stream = co_await race.Interrupted(listener.Accept());
      if (!stream.ok() && !Interruption(stream.status())) co_return stream.status();
      if (!stream.ok()) {
        co_await Try(Sleep(absl::Microseconds(1)));
        continue;
      }
      // A client that gave up may have left a connection behind, which asks nothing.
      char byte;
      absl::StatusOr<size_t> n = co_await stream->Read({&byte, 1});
      if (!n.ok() || *n == 0) continue;
      co_await Try(stream->WriteAll("!"));
      ++served;
    }
    co_await group.Join();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

Task<absl::Status> Files(Race& race) {
  const std::string path = race.directory + "/race";
  const std::string text = Pattern(4000);
  File file;
  while (!file) {
    absl::StatusOr<File> opened = co_await race.Interrupted(File::Create(path));
    if (opened.ok()) file = *std::move(opened);
  }
  // At the position: each piece goes on where the last got to.
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view piece = rest.substr(0, 1 + static_cast<size_t>(race.Below(1000)));
    absl::Status status = co_await race.Interrupted(file.WriteAll(piece));
    if (!status.ok() && !Interruption(status)) co_return status;
    rest.remove_prefix(status.ok() ? piece.size() : BytesTransferred(status).value_or(0));
  }
  // At offsets, over the same bytes: whatever happens, what is there afterwards is the same.
  for (int i = 0; i < 10; ++i) {
    size_t at = static_cast<size_t>(race.Below(3000));
    absl::Status status =
        co_await race.Interrupted(file.WriteAllAt(static_cast<int64_t>(at), {text.data() + at, 1000}));
    if (!status.ok() && !Interruption(status)) co_return status;
  }
  for (absl::Status status = absl::UnknownError(""); !status.ok();) {
    status = co_await race.Interrupted(file.Sync());
    if (!status.ok() && !Interruption(status)) co_return status;
    absl::StatusOr<FileStatus> facts = co_await race.Interrupted(file.Stat());
    if (facts.ok() && facts->size != 4000) co_return absl::DataLossError("the size is wrong");
    absl::Status truncated = co_await race.Interrupted(file.Truncate(4000));
    if (!truncated.ok() && !Interruption(truncated)) co_return truncated;
  }
  std::string read;
  while (read.size() < text.size()) {
    char buffer[700];
    absl::StatusOr<size_t> n = co_await race.Interrupted(file.ReadAt(static_cast<int64_t>(read.size()), buffer));
    if (!n.ok() && !Interruption(n.status())) co_return n.status();
    if (n.ok()) read.append(buffer, *n);
  }
  if (read != text) co_return absl::DataLossError("bytes of the file are wrong");
  // Closed or not, it is not open afterwards.
  absl::Status closed = co_await race.Interrupted(file.Close());
  co_return closed.ok() || Interruption(closed) ? absl::OkStatus() : closed;
}

Task<absl::Status> Sleeps(Race& race) {
  for (int i = 0; i < 20; ++i) {
    absl::Duration duration = race.Moment();
    MonotonicTime start = race.scheduler.Now();
    absl::Status status = co_await race.Interrupted(Sleep(duration));
    if (!status.ok() && !Interruption(status)) co_return status;
    if (status.ok() && race.scheduler.Now() - start < duration) co_return absl::InternalError("a sleep ended early");
  }
  co_return absl::OkStatus();
}

struct Scenario {
  const char* name;
  Task<absl::Status> (*run)(Race&);
};
constexpr Scenario kScenarios[] = {
    {"Streams", &Streams}, {"Connections", &Connections}, {"Files", &Files}, {"Sleeps", &Sleeps}};

class RaceTest : public ::testing::TestWithParam<Scenario> {
 protected:
  static int Seeds() {
    const char* text = getenv("PROACTOR_SEEDS");
    return text != nullptr ? atoi(text) : 2000;
  }
};

TEST_P(RaceTest, SimulatedAtEveryMomentNothingIsLost) {
  int completed = 0;
  int interrupted = 0;
  for (int seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SimulatedWorld world({.seed = static_cast<uint64_t>(seed), .max_latency = absl::Microseconds(20)});
    Race race(world.scheduler(), static_cast<uint64_t>(seed), "");
    absl::Status status = world.Run(GetParam().run(race));
    EXPECT_THAT(status, IsOk());
    completed += race.completed;
    interrupted += race.interrupted;
  }
  // There were races, with winners of both kinds.
  EXPECT_GT(completed, Seeds());
  EXPECT_GT(interrupted, Seeds());
}

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

TEST_P(RaceTest, InAKernelAtRandomMomentsNothingIsLost) {
  std::string directory = ::testing::TempDir() + "/race.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (Backend backend : kRealBackends) {
    Bench bench(backend);
    int before = OpenDescriptors();
    for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
      Race race(bench.scheduler(), static_cast<uint64_t>(seed), directory);
      absl::Status status = bench.Run(GetParam().run(race));
      EXPECT_THAT(status, IsOk()) << BackendName(backend) << ", seed " << seed;
    }
    EXPECT_EQ(OpenDescriptors(), before);
  }
  unlink((directory + "/race").c_str());
  rmdir(directory.c_str());
}

INSTANTIATE_TEST_SUITE_P(Every, RaceTest, ::testing::ValuesIn(kScenarios),
                         [](const ::testing::TestParamInfo<Scenario>& info) { return info.param.name; });

}  // namespace
}  // namespace proactor
