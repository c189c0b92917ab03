// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_kernel.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend/io_uring_proactor.h"
#include "proactor/feature.h"
#include "proactor/net/tcp.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

// --- What each version offers, as the Ring finds out. ---

class FakeKernelTest : public ::testing::TestWithParam<FakeKernelProfile> {
 protected:
  FakeKernelOptions options_ = {.profile = GetParam()};
  SimulatedSystem system_;
};

TEST_P(FakeKernelTest, TheRingUsesTheBestThatThereIs) {
  FakeKernel kernel(system_, options_);
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel);
  ASSERT_THAT(ring, IsOk());
  ASSERT_THAT((*ring)->Enable(), IsOk());
  const unsigned offered = GetParam().setup_flags;
  for (unsigned flag : {IORING_SETUP_SUBMIT_ALL, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SINGLE_ISSUER,
                        IORING_SETUP_DEFER_TASKRUN}) {
    EXPECT_EQ((*ring)->setup_flags() & flag, offered & flag);
  }
  EXPECT_TRUE((*ring)->Supports(IORING_OP_RECV));
  EXPECT_EQ((*ring)->Supports(55), GetParam().operations > 55) << "FTRUNCATE";
  EXPECT_EQ((*ring)->entries(), 256u);
  EXPECT_EQ((*ring)->completion_entries(), 4096u);
  ring->reset();
  EXPECT_EQ(kernel.open_rings(), 0u);
}

TEST_P(FakeKernelTest, TooLittleLockedMemoryHalvesTheRing) {
  options_.profile.largest_ring = 64;
  FakeKernel kernel(system_, options_);
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel);
  ASSERT_THAT(ring, IsOk());
  EXPECT_EQ((*ring)->entries(), 64u);
}

TEST_P(FakeKernelTest, OneThatForbidsItSaysWhy) {
  options_.profile.setup_error = EPERM;
  FakeKernel kernel(system_, options_);
  EXPECT_THAT(IoUringProactor::Create({}, kernel),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("io_uring_setup")));
}

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[64];
  while (size_t n = co_await Try(stream.Read(buffer))) co_await Try(stream.WriteAll({buffer, n}));
  co_return absl::OkStatus();
}

Task<absl::Status> Client(SocketAddress address, int number) {
  TcpStream stream = co_await Try(TcpStream::Connect(address));
  for (int i = 0; i < 3; ++i) {
    std::string sent = std::to_string(100 * number + i) + std::string(100, '.');
    co_await Try(stream.WriteAll(sent));
    std::string echoed;
    char buffer[64];
    while (echoed.size() < sent.size()) {
      size_t n = co_await Try(stream.Read(buffer));
      if (n == 0) co_return absl::DataLossError("the echo ended early");
      echoed.append(buffer, n);
    }
    if (echoed != sent) co_return absl::DataLossError(echoed);
  }
  co_return absl::OkStatus();
}

Task<absl::Status> ManyEchoes() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  constexpr int kClients = 10;
  auto clients = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kClients; ++i) group.Spawn(Client(address, i));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& servers) -> Task<absl::Status> {
    auto accepting = [&]() -> Task<absl::Status> {
      for (int i = 0; i < kClients; ++i) servers.Spawn(Echo(co_await Try(listener.Accept())));
      co_return absl::OkStatus();
    };
    servers.Spawn(accepting());
    co_return co_await WithTaskGroup(clients);
  };
  co_return co_await WithTaskGroup(body);
}

// Everything that the loop counts, and the time that has passed: two runs that are the same agree in it.
struct Outcome {
  absl::Status status;
  std::vector<int64_t> counts = {};
  int64_t overflows = 0;
  int64_t full_queues = 0;
  int64_t interruptions = 0;
};

Outcome RunManyEchoes(FakeKernelOptions options, uint64_t seed, RingOptions ring = {}) {
  auto world = MakeFakeRingWorld({.seed = seed, .max_latency = absl::Microseconds(20)}, options, ring);
  Outcome outcome = {.status = world->Run(ManyEchoes())};
  const Counters& counters = world->scheduler().counters();
  outcome.overflows = counters.overflows.value();
  outcome.full_queues = counters.full_queues.value();
  outcome.interruptions = counters.interruptions.value();
  outcome.counts = {counters.turns.value(),      counters.resumes.value(),       counters.enters.value(),
                    counters.submissions.value(), counters.resubmissions.value(), outcome.overflows,
                    world->Elapsed() / absl::Nanoseconds(1)};
  return outcome;
}

TEST_P(FakeKernelTest, ARealProactorServesAWorldWhereEverythingGoesWrongThatMay) {
  int64_t overflows = 0, full_queues = 0, interruptions = 0;
  for (uint64_t seed = 1; seed <= 30 && !HasFailure(); ++seed) {
    Outcome outcome = RunManyEchoes({.profile = GetParam(), .faults = FakeFaults::All()}, seed,
                                    {.entries = 4, .completions = 8});
    EXPECT_THAT(outcome.status, IsOk()) << "seed " << seed;
    overflows += outcome.overflows;
    full_queues += outcome.full_queues;
    interruptions += outcome.interruptions;
  }
  EXPECT_GT(overflows, 0);
  EXPECT_GT(full_queues, 0);
  EXPECT_GT(interruptions, 0);
}

TEST_P(FakeKernelTest, TheSameSeedIsTheSameRun) {
  FakeKernelOptions options = {.profile = GetParam(), .faults = FakeFaults::All()};
  EXPECT_EQ(RunManyEchoes(options, 5).counts, RunManyEchoes(options, 5).counts);
  EXPECT_NE(RunManyEchoes(options, 5).counts, RunManyEchoes(options, 6).counts);
}

TEST_P(FakeKernelTest, WithoutFaultsNothingIsEverLateOrInterrupted) {
  Outcome outcome = RunManyEchoes({.profile = GetParam()}, 1);
  EXPECT_THAT(outcome.status, IsOk());
  EXPECT_EQ(outcome.interruptions + outcome.overflows + outcome.full_queues, 0);
}

INSTANTIATE_TEST_SUITE_P(Every, FakeKernelTest,
                         ::testing::ValuesIn(FakeKernelProfile::Every().begin(), FakeKernelProfile::Every().end()),
                         [](const ::testing::TestParamInfo<FakeKernelProfile>& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return "Linux" + name;
                         });

// A variant that the kernel turns out to lack is asked for once, and done without from then on.
TEST(LackingFakeKernelTest, WithoutMultishotPollsEachWakeIsHeardOfAllTheSame) {
  SimulatedSystem system;
  FakeKernelOptions options;
  options.profile.multishot_poll = false;
  FakeKernel kernel(system, options);
  std::unique_ptr<IoUringProactor> proactor = *IoUringProactor::Create({}, kernel);
  EXPECT_TRUE(proactor->ring().Has(Feature::kMultishotPoll)) << "which no probe tells";
  MonotonicTime begin = proactor->Now();
  for (int i = 0; i < 10; ++i) {
    proactor->Wake();
    proactor->Wait(begin + absl::Hours(1));
    EXPECT_EQ(proactor->Now(), begin);
  }
  EXPECT_FALSE(proactor->ring().Has(Feature::kMultishotPoll));
  proactor->Wait(begin + absl::Hours(1));
  EXPECT_EQ(proactor->Now(), begin + absl::Hours(1)) << "no wake is left";
}

// What another ring has locked is given back some time after its process has ended.
TEST(LackingFakeKernelTest, WithoutMemoryItAsksAgainForATenthOfASecond) {
  SimulatedSystem system;
  FakeKernelOptions options;
  options.profile.largest_ring = 0;
  FakeKernel kernel(system, options);
  MonotonicTime begin = system.clock().Now();
  EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("io_uring_setup")));
  EXPECT_EQ(kernel.machine().pauses(), 5);
  EXPECT_EQ(system.clock().Now() - begin, absl::Milliseconds(100));
}

TEST(LackingFakeKernelTest, MemoryThatComesBackMakesAWholeRing) {
  SimulatedSystem system;
  FakeKernelOptions options;
  FakeKernel kernel(system, options);
  kernel.FreeMemoryAt(system.clock().Now() + absl::Milliseconds(75));
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel);
  ASSERT_THAT(ring, IsOk());
  EXPECT_EQ((*ring)->entries(), 256u);
  EXPECT_EQ((*ring)->completion_entries(), 4096u);
  EXPECT_FALSE((*ring)->shrunk());
  EXPECT_EQ(kernel.machine().pauses(), 4);
}

TEST(LackingFakeKernelTest, WithALittleMemoryItTakesThatAtOnce) {
  SimulatedSystem system;
  FakeKernelOptions options;
  options.profile.largest_ring = 32;
  FakeKernel kernel(system, options);
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel);
  ASSERT_THAT(ring, IsOk());
  EXPECT_TRUE((*ring)->shrunk());
  EXPECT_EQ(kernel.machine().pauses(), 0);
}

// --- As strict as Linux. ---

TEST(StrictFakeKernelTest, FlagsThatMakeNoSenseAreEinval) {
  SimulatedSystem system;
  FakeKernel kernel(system, {});
  auto setup = [&](unsigned entries, unsigned flags, unsigned completions = 0) {
    io_uring_params params = {};
    params.flags = flags;
    params.cq_entries = completions;
    int result = kernel.Setup(entries, &params);
    if (result >= 0) kernel.Close(result);
    return result;
  };
  EXPECT_GE(setup(8, 0), 0);
  EXPECT_GE(setup(1 << 20, IORING_SETUP_CLAMP), 0);
  EXPECT_EQ(setup(0, 0), -EINVAL);
  EXPECT_EQ(setup(1 << 20, 0), -EINVAL);
  EXPECT_EQ(setup(8, IORING_SETUP_CQSIZE, 4), -EINVAL);
  EXPECT_EQ(setup(8, IORING_SETUP_DEFER_TASKRUN), -EINVAL);
  EXPECT_EQ(setup(8, IORING_SETUP_TASKRUN_FLAG), -EINVAL);
  EXPECT_EQ(setup(8, 1u << 30), -EINVAL);
}

TEST(StrictFakeKernelTest, ARingIsEnabledOnceAndUsedAfterThat) {
  SimulatedSystem system;
  FakeKernel kernel(system, {});
  io_uring_params params = {};
  params.flags = IORING_SETUP_R_DISABLED;
  int ring = kernel.Setup(8, &params);
  EXPECT_EQ(kernel.Enter(ring, 0, 0, 0, nullptr, 0), -EBADFD);
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0), 0);
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0), -EBADFD);
  EXPECT_EQ(kernel.Enter(ring, 0, 0, 0, nullptr, 0), 0);
  EXPECT_EQ(kernel.Enter(ring, 0, 0, 1u << 30, nullptr, 0), -EINVAL);
  EXPECT_EQ(kernel.Enter(ring, 0, 0, IORING_ENTER_EXT_ARG, nullptr, 1), -EINVAL);
  EXPECT_EQ(kernel.Register(ring, 1000, nullptr, 0), -EINVAL);
  kernel.Close(ring);
  EXPECT_EQ(kernel.Enter(ring, 0, 0, 0, nullptr, 0), -EBADF);
  EXPECT_EQ(kernel.Map(ring, 8, IORING_OFF_SQES), reinterpret_cast<void*>(-1));
}

int ResultOf(Ring& ring, unsigned opcode, unsigned flags = 0) {
  io_uring_sqe* entry = ring.NextEntry();
  entry->opcode = static_cast<__u8>(opcode);
  entry->flags = static_cast<__u8>(flags);
  entry->fd = -1;
  ring.Push();
  EXPECT_EQ(ring.Enter(1, MonotonicTime::Infinite()), 1);
  int result = 1;
  ring.Reap([](uint64_t) {}, [&](const io_uring_cqe& completion) { result = completion.res; });
  return result;
}

TEST(StrictFakeKernelTest, ARestrictedRingRefusesWhatItDoesNotAllow) {
  SimulatedSystem system;
  FakeKernel kernel(system, {});
  kernel.Trust();
  std::unique_ptr<Ring> ring = *Ring::Create({.restricted = true}, kernel);
  EXPECT_TRUE(ring->restricted());
  ASSERT_THAT(ring->Enable(), IsOk());
  EXPECT_EQ(ResultOf(*ring, IORING_OP_NOP), 0);
  EXPECT_EQ(ResultOf(*ring, IORING_OP_NOP, IOSQE_ASYNC), 0);
  EXPECT_EQ(ResultOf(*ring, IORING_OP_NOP, IOSQE_IO_DRAIN), -EACCES);
  EXPECT_EQ(ResultOf(*ring, IORING_OP_SOCKET), -EACCES);
  EXPECT_EQ(ResultOf(*ring, 200), -EINVAL) << "there is no such operation";
}

TEST(StrictFakeKernelTest, RestrictionsComeOnceAndBeforeTheRingIsEnabled) {
  SimulatedSystem system;
  FakeKernel kernel(system, {});
  io_uring_params params = {};
  params.flags = IORING_SETUP_R_DISABLED;
  int ring = kernel.Setup(8, &params);
  io_uring_restriction nop = {};
  nop.opcode = IORING_RESTRICTION_SQE_OP;
  nop.sqe_op = IORING_OP_NOP;
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_RESTRICTIONS, &nop, 1), 0);
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_RESTRICTIONS, &nop, 1), -EBUSY);
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0), 0);
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0), -EACCES);
  EXPECT_EQ(kernel.Register(ring, IORING_REGISTER_RESTRICTIONS, &nop, 1), -EACCES);
  kernel.Close(ring);
  params = {};
  int enabled = kernel.Setup(8, &params);
  EXPECT_EQ(kernel.Register(enabled, IORING_REGISTER_RESTRICTIONS, &nop, 1), -EBADFD);
  kernel.Close(enabled);
}

TEST(StrictFakeKernelDeathTest, ItOutlivesItsRings) {
  auto forget = [] {
    SimulatedSystem system;
    FakeKernel kernel(system, {});
    io_uring_params params = {};
    kernel.Setup(8, &params);
  };
  EXPECT_DEATH(forget(), "ends before the rings");
}

// Invariant 1, as the kernel sees it.
TEST(StrictFakeKernelDeathTest, ARingIsNotClosedWhileAReadIsInFlight) {
  auto forget = [](uint8_t opcode) {
    SimulatedSystem system;
    FakeKernel kernel(system, {});
    kernel.Trust();
    std::unique_ptr<Ring> ring = *Ring::Create({}, kernel);
    EXPECT_THAT(ring->Enable(), IsOk());
    io_uring_sqe* entry = ring->NextEntry();
    char byte;
    entry->opcode = opcode;
    entry->fd = system.MakePipe().first;  // Its end to read from, which nobody writes to.
    entry->addr = reinterpret_cast<uintptr_t>(&byte);
    entry->len = 1;
    entry->off = ~0ull;
    if (opcode == IORING_OP_POLL_ADD) io_uring_prep_poll_add(entry, entry->fd, POLLIN);
    ring->Push();
    EXPECT_EQ(ring->Enter(0, MonotonicTime::Past()), 1);
  };
  forget(IORING_OP_POLL_ADD);
  EXPECT_DEATH(forget(IORING_OP_READ), "A ring was closed while a request in flight points at memory");
}

// --- What a proactor cannot survive. ---

TEST(FakeKernelDeathTest, LostCompletionsEndTheProcessWithASentence) {
  auto lose = [] {
    SimulatedSystem system;
    FakeKernel kernel(system, {});
    std::unique_ptr<IoUringProactor> proactor = *IoUringProactor::Create({}, kernel);
    kernel.LoseCompletions();
    proactor->Wait(proactor->Now() + absl::Seconds(1));
  };
  EXPECT_DEATH(lose(), "The io_uring cannot go on: .*the kernel ran out of memory and lost completions");
}

}  // namespace
}  // namespace proactor
