// SPDX-License-Identifier: Apache-2.0
//
// Completion, cancellation and deadline at every relative moment, for every operation, combinator and primitive.
//
// Each scenario runs many times. Simulated, a seed decides when results, deadlines and cancellations meet, and the
// world checks at its end that no descriptor is left; on io_uring and epoll the moments are what real time makes of
// random delays. The same with the real IoUringProactor over fake kernels of every version, in which everything goes
// wrong that may, and with the real EpollProactor over a fake epoll. $PROACTOR_SEEDS sets how many runs each scenario
// has (simulated; a tenth of it over fake kernels, a fiftieth on real ones), for a long search.
#include "tests/stress/race.h"

#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/feature.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/backends.h"
#include "tests/support/fake_epoll_world.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

// Where each table of scenarios is entered.
std::vector<Scenario> Scenarios() {
  std::vector<Scenario> all;
  for (std::span<const Scenario> table :
       {SocketScenarios(), ReceiveScenarios(), FileScenarios(), ProcessScenarios(), TimeScenarios(), ScopeScenarios(),
        CombinatorScenarios(), PrimitiveScenarios(), MeetingScenarios(), ValueScenarios()}) {
    all.insert(all.end(), table.begin(), table.end());
  }
  return all;
}

// Where the code is as fast as it ships; sanitizers take ten times as long.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kAtFullSpeed = true;
#else
constexpr bool kAtFullSpeed = false;
#endif

int Seeds() {
  const char* text = getenv("PROACTOR_SEEDS");
  if (text != nullptr) return atoi(text);
  return kAtFullSpeed ? 7'000 : 500;
}

TEST(SeedsTest, TwoHundredThousandSeedsInAll) {
  if (!kAtFullSpeed || getenv("PROACTOR_SEEDS") != nullptr) return;
  EXPECT_GE(static_cast<int>(Scenarios().size()) * Seeds(), 200'000);
}

class RaceTest : public ::testing::TestWithParam<Scenario> {
 protected:
  // Runs the scenario once.
  template <class Runner>
  void RunOnce(Runner& runner, int seed, const RaceSystem& system) {
    Race race(runner.scheduler(), static_cast<uint64_t>(seed), system);
    absl::Status status = runner.Run(race.Run(GetParam().run));
    EXPECT_THAT(status, IsOk()) << "seed " << seed;
    completed_ += race.completed;
    interrupted_ += race.interrupted;
  }

  int completed_ = 0;
  int interrupted_ = 0;
};

TEST_P(RaceTest, SimulatedAtEveryMomentNothingIsLost) {
  for (int seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SimulatedWorld world({.seed = static_cast<uint64_t>(seed), .max_latency = absl::Microseconds(20)});
    RaceSystem system = {.directory = "",
                         .raise = [&](int signal) { world.Raise(signal); },
                         .pipe = [&] { return world.system().MakePipe(); },
                         .exact = true};
    RunOnce(world, seed, system);
    // A wake-up that was lost would be made up for by the next deadline.
    EXPECT_LT(world.Elapsed(), absl::Seconds(9)) << "somebody waited in vain, seed " << seed;
  }
  // There were races, with winners of both kinds.
  EXPECT_GT(completed_, Seeds() / 20);
  EXPECT_GT(interrupted_, Seeds() / 20);
}

// Machines that lack something which those of their age have: an operation of the kernel's, or one feature.
void LackSomething(Chance chance, FakeKernelProfile& profile, RingOptions& ring) {
  constexpr unsigned kFtruncate = 55;  // Newer than the liburing that this builds with.
  constexpr unsigned kOperations[] = {
      IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_RECV,   IORING_OP_RECVMSG, IORING_OP_SEND,  IORING_OP_SENDMSG,
      IORING_OP_READ,   IORING_OP_WRITE,   IORING_OP_SPLICE, IORING_OP_OPENAT,  IORING_OP_CLOSE, IORING_OP_STATX,
      IORING_OP_FSYNC,  kFtruncate,        IORING_OP_SOCKET, IORING_OP_SEND_ZC,
  };
  if (chance.Below(2) == 0) {
    profile.hidden_operation = kOperations[chance.UpTo(std::size(kOperations)) - 1];
    return;
  }
  std::vector<Feature> optional;
  for (const FeatureFacts& facts : AllFeatures()) {
    if (OptionalFeatures().Contains(facts.feature)) optional.push_back(facts.feature);
  }
  ring.disabled.Add(optional[chance.UpTo(optional.size()) - 1]);
}

TEST_P(RaceTest, OverFakeKernelsThatDoWhatTheyMayNothingIsLost) {
  std::span<const FakeKernelProfile> profiles = FakeKernelProfile::Every();
  for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
    FakeKernelProfile profile = profiles[static_cast<size_t>(seed) % profiles.size()];
    // Queues that are full most of the time, in some.
    RingOptions ring = seed % 3 == 0 ? RingOptions{.entries = 2, .completions = 4} : RingOptions{};
    ring.restricted = seed / 4 % 2 == 0;
    if (seed % 4 == 0) LackSomething(Chance(static_cast<uint64_t>(seed), 1), profile, ring);
    SCOPED_TRACE(::testing::Message() << profile.name << " without operation " << int(profile.hidden_operation)
                                      << " and the features " << ring.disabled.bits());
    auto world = MakeFakeRingWorld({.seed = static_cast<uint64_t>(seed), .max_latency = absl::Microseconds(20)},
                                   {.profile = profile, .faults = FakeFaults::All()}, ring);
    RaceSystem system = {.directory = "",
                         .raise = [&](int signal) { world->Raise(signal); },
                         .pipe = [&] { return world->system().MakePipe(); }};
    RunOnce(*world, seed, system);
  }
  EXPECT_GT(completed_, Seeds() / 200);
  // Some scenarios are hardly ever interrupted here: not once in fifty.
  if (kAtFullSpeed) {
    EXPECT_GT(interrupted_, Seeds() / 200);
  }
}

TEST_P(RaceTest, OverAnEpollThatDoesWhatItMayNothingIsLost) {
  for (int seed = 1; seed <= Seeds() / 10 && !HasFailure(); ++seed) {
    // Every third kernel is an old one.
    FakeEpollOptions options = FakeEpollOptions::EveryFault();
    options.knows_nanoseconds = options.pipes_know_nowait = seed % 3 != 0;
    SimulationOptions simulation = {.seed = static_cast<uint64_t>(seed), .max_latency = absl::Microseconds(20)};
    auto world = MakeFakeEpollWorld(simulation, options);
    RaceSystem system = {.directory = "",
                         .raise = [&](int signal) { world->Raise(signal); },
                         .pipe = [&] { return world->system().MakePipe(); }};
    RunOnce(*world, seed, system);
    EXPECT_LT(world->Elapsed(), absl::Seconds(9)) << "somebody waited in vain, seed " << seed;
  }
  // What needs no waiting is done at once, and never interrupted.
  EXPECT_GT(completed_, Seeds() / 200);
}

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

absl::StatusOr<std::pair<int, int>> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return ErrnoToStatus(errno, "pipe2");
  return std::pair(ends[0], ends[1]);
}

TEST_P(RaceTest, InAKernelAtRandomMomentsNothingIsLost) {
  std::string directory = ::testing::TempDir() + "/race.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  RaceSystem system = {.directory = directory, .raise = [](int signal) { kill(getpid(), signal); }, .pipe = &MakePipe};
  for (Backend backend : kRealBackends) {
    SCOPED_TRACE(BackendName(backend));
    Bench bench(backend);
    int before = OpenDescriptors();
    for (int seed = 1; seed <= Seeds() / 50 && !HasFailure(); ++seed) RunOnce(bench, seed, system);
    EXPECT_EQ(OpenDescriptors(), before);
  }
  unlink((directory + "/race").c_str());
  rmdir(directory.c_str());
}

INSTANTIATE_TEST_SUITE_P(Every, RaceTest, ::testing::ValuesIn(Scenarios()),
                         [](const ::testing::TestParamInfo<Scenario>& info) { return info.param.name; });

}  // namespace
}  // namespace proactor
