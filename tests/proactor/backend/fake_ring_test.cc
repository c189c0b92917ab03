// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_ring.h"

#include <poll.h>

#include <map>
#include <memory>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/ring.h"

namespace proactor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

// A Ring, which is how a FakeRing is used.
class FakeBench {
 public:
  explicit FakeBench(FakeKernelOptions options = {}, uint64_t seed = 1, RingOptions ring = {})
      : system({.seed = seed, .short_transfers = false, .interruptions = false}),
        kernel(system, options),
        ring(*Ring::Create(ring, kernel)) {
    EXPECT_TRUE(this->ring->Enable().ok());
  }

  io_uring_sqe& Push(unsigned opcode, uint64_t user_data, int fd = -1) {
    io_uring_sqe* entry = ring->NextEntry();
    entry->opcode = static_cast<__u8>(opcode);
    entry->fd = fd;
    entry->user_data = user_data;
    ring->Push();
    return *entry;
  }
  void PushRead(uint64_t user_data, int fd) {
    io_uring_sqe& entry = Push(IORING_OP_READ, user_data, fd);
    entry.addr = reinterpret_cast<uintptr_t>(buffer);
    entry.len = 1;
    entry.off = ~uint64_t{0};
  }
  void PushPoll(uint64_t user_data, int fd) {
    io_uring_sqe& entry = Push(IORING_OP_POLL_ADD, user_data, fd);
    entry.poll32_events = POLLIN;
    entry.len = IORING_POLL_ADD_MULTI;
  }
  void PushCancel(uint64_t user_data, uint64_t target) { Push(IORING_OP_ASYNC_CANCEL, user_data).addr = target; }
  int Enter(unsigned wait_for = 0) { return ring->Enter(wait_for, system.clock().Now() + absl::Hours(1)); }

  std::vector<io_uring_cqe> Reap() {
    std::vector<io_uring_cqe> reaped;
    ring->Reap([](uint64_t) {}, [&](const io_uring_cqe& completion) { reaped.push_back(completion); });
    return reaped;
  }
  // Until so many have come.
  std::vector<io_uring_cqe> ReapAll(size_t count) {
    std::vector<io_uring_cqe> all;
    for (int i = 0; i < 1000 && all.size() < count; ++i) {
      Enter(1);
      for (const io_uring_cqe& completion : Reap()) all.push_back(completion);
    }
    return all;
  }

  SimulatedSystem system;
  FakeKernel kernel;
  std::unique_ptr<Ring> ring;
  char buffer[1] = {};
};

struct SimulatedListener {
  explicit SimulatedListener(SimulatedSystem& system)
      : system(system), number(system.Socket(AF_INET, SOCK_STREAM, 0)) {
    EXPECT_EQ(system.Listen(number, 8), 0);
    system.SocketName(number, reinterpret_cast<sockaddr*>(&address), &size);
  }
  // As connect(2) of a socket that does not block.
  int Connect(int client) { return system.Connect(client, reinterpret_cast<sockaddr*>(&address), size); }

  SimulatedSystem& system;
  int number;
  sockaddr_storage address;
  socklen_t size = sizeof(address);
};

FakeKernelOptions With(FakeKernelProfile profile) { return {.profile = profile}; }
FakeKernelOptions With(FakeFaults faults) { return {.faults = faults}; }

std::vector<uint64_t> UserData(const std::vector<io_uring_cqe>& completions) {
  std::vector<uint64_t> user_data;
  for (const io_uring_cqe& completion : completions) user_data.push_back(completion.user_data);
  return user_data;
}

TEST(FakeRingTest, CompletesWhatWasPushedOnceInAnOrderThatTheSeedDecides) {
  std::set<std::vector<uint64_t>> orders;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::vector<uint64_t> order[2];
    for (std::vector<uint64_t>& run : order) {
      FakeBench bench({}, seed);
      for (uint64_t i = 0; i < 3; ++i) bench.Push(IORING_OP_NOP, i);
      EXPECT_EQ(bench.Enter(3), 3);
      run = UserData(bench.Reap());
      EXPECT_THAT(run, ::testing::UnorderedElementsAre(0, 1, 2));
    }
    EXPECT_EQ(order[0], order[1]);
    orders.insert(order[0]);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(FakeRingTest, AtMostTwentyComeAtOnceAndAFlagSaysThatThereAreMore) {
  FakeBench bench;
  for (uint64_t i = 0; i < 50; ++i) bench.Push(IORING_OP_NOP, i);
  EXPECT_EQ(bench.Enter(1), 50);
  for (size_t count : {20u, 20u, 10u}) {
    EXPECT_EQ(bench.Reap().size(), count);
    EXPECT_EQ(bench.ring->NeedsEnter(), count == 20);
    EXPECT_EQ(bench.Enter(), 0);
  }
  FakeBench older(With(FakeKernelProfile::Linux6_1()));
  for (uint64_t i = 0; i < 50; ++i) older.Push(IORING_OP_NOP, i);
  EXPECT_EQ(older.Enter(1), 50);
  EXPECT_EQ(older.Reap().size(), 50u);
}

TEST(FakeRingTest, AnOverflowLosesNothing) {
  for (FakeKernelProfile profile : {FakeKernelProfile::Newest(), FakeKernelProfile::Linux5_15()}) {
    FakeBench bench(With(profile), 1, {.entries = 4, .completions = 8});
    std::set<uint64_t> reaped;
    bool overflowed = false, busy = false;
    for (uint64_t pushed = 0; reaped.size() < 40;) {
      while (pushed < 40 && bench.ring->NextEntry() != nullptr) bench.Push(IORING_OP_NOP, pushed++);
      busy = bench.Enter() == -EBUSY || busy;
      overflowed = overflowed || bench.ring->overflowed();
      if (pushed < 40 && !busy) continue;
      for (const io_uring_cqe& completion : bench.Reap()) EXPECT_TRUE(reaped.insert(completion.user_data).second);
    }
    EXPECT_TRUE(overflowed);
    EXPECT_EQ(busy, profile.overflow_stops_submission);
    EXPECT_FALSE(bench.ring->overflowed());
  }
}

TEST(FakeRingTest, AWaitLetsTimePassAndEndsWithEtime) {
  for (const FakeKernelProfile& profile : FakeKernelProfile::Every()) {
    FakeBench bench(With(profile));
    MonotonicTime begin = bench.system.clock().Now();
    EXPECT_EQ(bench.Enter(1), -ETIME);
    EXPECT_EQ(bench.system.clock().Now() - begin, absl::Hours(1));
    bench.Push(IORING_OP_NOP, 1);
    EXPECT_EQ(bench.Enter(1), 1);
    EXPECT_EQ(bench.system.clock().Now() - begin, absl::Hours(1)) << "what is there needs no time";
  }
}

TEST(FakeRingTest, WaitingForEverIsADeadlock) {
  FakeBench bench;
  int deadlocks = 0;
  bench.kernel.OnDeadlock([&] { ++deadlocks; });
  EXPECT_EQ(bench.ring->Enter(1, MonotonicTime::Infinite()), -EINTR);
  EXPECT_EQ(deadlocks, 1);
  bench.kernel.OnDeadlock(nullptr);
  EXPECT_DEATH(bench.ring->Enter(1, MonotonicTime::Infinite()), "Deadlock: ");
}

// With deferred work a flag says that an enter would bring it; without, it is there at any time.
TEST(FakeRingTest, WhatHappensBetweenEntersIsSeen) {
  for (const FakeKernelProfile& profile : FakeKernelProfile::Every()) {
    SCOPED_TRACE(profile.name);
    FakeBench bench(With(profile));
    auto [reader, writer] = bench.system.MakePipe();
    bench.PushRead(7, reader);
    EXPECT_EQ(bench.Enter(), 1);
    EXPECT_FALSE(bench.ring->NeedsEnter() || bench.ring->HasCompletions());
    EXPECT_EQ(bench.system.Write(writer, "x", 1, -1), 1);
    bool flagged = (profile.setup_flags & IORING_SETUP_TASKRUN_FLAG) != 0;
    EXPECT_EQ(bench.ring->NeedsEnter(), flagged);
    EXPECT_EQ(bench.ring->HasCompletions(), !flagged);
    EXPECT_THAT(UserData(bench.ReapAll(1)), ElementsAre(7));
  }
}

TEST(FakeRingTest, EntersFailInEachWayThatIsAskedFor) {
  std::set<int> results;
  FakeBench failing(With(FakeFaults{.enter_fails = 2}));
  for (int i = 0; i < 100; ++i) {
    if (failing.ring->unsubmitted() == 0) failing.Push(IORING_OP_NOP, 1);
    results.insert(failing.Enter());
    failing.Reap();
  }
  EXPECT_THAT(results, ElementsAre(-EBUSY, -EAGAIN, -EINTR, 1));

  FakeBench partial(With(FakeFaults{.partial_submit = 2}));
  results.clear();
  for (int i = 0; i < 100; ++i) {
    while (partial.ring->unsubmitted() < 4) partial.Push(IORING_OP_NOP, 1);
    results.insert(partial.Enter(1));
    partial.Reap();
  }
  EXPECT_THAT(results, ElementsAre(-EAGAIN, 1, 2, 3, 4));

  FakeBench interrupted(With(FakeFaults{.interrupted = 2}));
  results.clear();
  for (int i = 0; i < 100; ++i) results.insert(interrupted.Enter(1));
  EXPECT_THAT(results, ElementsAre(-ETIME, -EINTR));
}

TEST(FakeRingTest, AFullQueueIsNotNeededForAnOverflow) {
  FakeBench bench(With(FakeFaults{.overflow = 2}));
  bool overflowed = false;
  for (uint64_t i = 0; i < 100; ++i) {
    bench.Push(IORING_OP_NOP, i);
    bench.Enter();
    overflowed = overflowed || bench.ring->overflowed();
    EXPECT_EQ(bench.ring->HasCompletions() ? bench.Reap().size() : bench.ReapAll(1).size(), 1u);
  }
  EXPECT_TRUE(overflowed);
}

TEST(FakeRingTest, WhatItDoesNotHaveIsEinvalAndStopsTheBatchOfOlderOnes) {
  FakeKernelProfile older = FakeKernelProfile::Linux5_15();
  older.multishot_poll = false;
  FakeBench bench(With(older));
  bench.Push(IORING_OP_SEND_ZC, 1);
  bench.PushPoll(2, 0);
  EXPECT_EQ(bench.Enter(), 1);
  EXPECT_EQ(bench.Enter(), 1);
  std::vector<io_uring_cqe> completions = bench.ReapAll(2);
  EXPECT_THAT(UserData(completions), ElementsAre(1, 2));
  for (const io_uring_cqe& completion : completions) EXPECT_EQ(completion.res, -EINVAL);
  FakeBench newer(With(FakeKernelProfile::Linux5_19()));
  newer.Push(IORING_OP_SEND_ZC, 1);
  newer.Push(IORING_OP_NOP, 2);
  EXPECT_EQ(newer.Enter(), 2);
}

// A multishot poll reports what there is, and each edge after that; or ends for no reason, which its flags say.
TEST(FakeRingTest, AMultishotPollReportsEachEdgeUntilItEnds) {
  for (unsigned ends : {0u, 2u}) {
    FakeBench bench(With(FakeFaults{.multishot_ends = ends}));
    int event = bench.kernel.machine().OpenEvent();
    bench.PushPoll(1, event);
    EXPECT_EQ(bench.Enter(), 1);
    bool over = false;
    for (int i = 0; i < 20; ++i) {
      bench.kernel.machine().AddEvent(event);
      bench.Enter();
      std::vector<io_uring_cqe> completions = bench.Reap();
      ASSERT_EQ(completions.size(), over ? 0u : 1u);
      if (over) continue;
      EXPECT_EQ(completions[0].res, POLLIN);
      over = (completions[0].flags & IORING_CQE_F_MORE) == 0;
    }
    EXPECT_EQ(over, ends != 0);
  }
}

TEST(FakeRingTest, WhatCouldWaitMayBeToldThatItWouldBlock) {
  FakeBench bench(With(FakeFaults{.would_block = 1}));
  auto [reader, writer] = bench.system.MakePipe();
  bench.PushRead(1, reader);
  std::vector<io_uring_cqe> completions = bench.ReapAll(1);
  EXPECT_EQ(completions[0].res, -EAGAIN);
  io_uring_sqe& entry = bench.Push(IORING_OP_POLL_ADD, 2, reader);
  entry.poll32_events = POLLIN;
  EXPECT_EQ(bench.Enter(), 1);
  EXPECT_FALSE(bench.ring->HasCompletions());
  EXPECT_EQ(bench.system.Write(writer, "x", 1, -1), 1);
  completions = bench.ReapAll(1);
  EXPECT_EQ(completions[0].user_data, 2u);
  EXPECT_EQ(completions[0].res & POLLIN, POLLIN);
}

// Every outcome of a request to cancel, seen over many seeds: what it says, how its target ends, and which is first.
TEST(FakeRingTest, ACancelHasEachOutcomeThatLinuxMayGiveIt) {
  constexpr uint64_t kTarget = 1, kCancel = 2;
  std::set<std::tuple<int, int, bool>> pending, ready, work;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    for (auto* seen : {&pending, &ready, &work}) {
      FakeBench bench(With(FakeFaults{.on_worker = 2}), seed);
      auto [reader, writer] = bench.system.MakePipe();
      bench.system.WriteFile("file", "contents");
      int fd = seen == &work ? bench.system.Open("file", 0, 0) : reader;
      bench.PushRead(kTarget, fd);
      if (seen != &work) bench.Enter();
      if (seen == &ready) bench.system.Write(writer, "x", 1, -1);
      bench.PushCancel(kCancel, kTarget);
      std::map<uint64_t, int> results;
      std::vector<io_uring_cqe> completions = bench.ReapAll(2);
      ASSERT_EQ(completions.size(), 2u) << "a target was lost, seed " << seed;
      for (const io_uring_cqe& completion : completions) results[completion.user_data] = completion.res;
      seen->insert({results[kCancel], results[kTarget], completions[0].user_data == kTarget});
    }
  }
  for (bool target_first : {true, false}) {
    EXPECT_THAT(pending, Contains(std::tuple(0, -ECANCELED, target_first)));
    EXPECT_THAT(pending, Contains(std::tuple(-EALREADY, -ECANCELED, target_first)));
    EXPECT_THAT(ready, Contains(std::tuple(0, 1, target_first))) << "in spite of it";
    EXPECT_THAT(work, Contains(std::tuple(-ENOENT, 1, target_first)));
  }
  EXPECT_THAT(work, Contains(std::tuple(-EALREADY, 1, false))) << "a worker goes on";
}

TEST(FakeRingTest, CancellingNobodyOrManyIsCounted) {
  FakeBench bench;
  auto [reader, writer] = bench.system.MakePipe();
  for (uint64_t i = 0; i < 3; ++i) bench.PushRead(i, reader);
  bench.Enter();
  bench.PushCancel(10, 99);
  EXPECT_EQ(bench.ReapAll(1)[0].res, -ENOENT);
  bench.Push(IORING_OP_ASYNC_CANCEL, 11).cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  std::map<uint64_t, int> results;
  for (const io_uring_cqe& completion : bench.ReapAll(4)) results[completion.user_data] = completion.res;
  EXPECT_EQ(results[11], 3);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(results[i], -ECANCELED);
}

// Each connection that a cancelled multishot accept had taken is told of, and what comes last has no F_MORE.
TEST(FakeRingTest, ACancelledMultishotAcceptMayHaveTakenAConnection) {
  std::set<std::vector<bool>> outcomes;  // Whether each completion of the accept had a descriptor.
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FakeBench bench({}, seed);
    SimulatedSystem& system = bench.system;
    SimulatedListener listener(system);
    bench.Push(IORING_OP_ACCEPT, 1, listener.number).ioprio = IORING_ACCEPT_MULTISHOT;
    bench.Enter();
    int client = system.Socket(AF_INET, SOCK_STREAM, 0);
    listener.Connect(client);
    bench.PushCancel(2, 1);
    std::vector<bool> outcome;
    bool over = false;
    while (!over) {
      ASSERT_GE(bench.Enter(1), 0);
      for (const io_uring_cqe& completion : bench.Reap()) {
        if (completion.user_data == 2) continue;
        EXPECT_FALSE(over);
        outcome.push_back(completion.res >= 0);
        over = (completion.flags & IORING_CQE_F_MORE) == 0;
        EXPECT_EQ(over, completion.res == -ECANCELED);
      }
    }
    outcomes.insert(outcome);
  }
  EXPECT_THAT(outcomes, ElementsAre(std::vector<bool>{false}, std::vector<bool>{true, false}));
}

// Each send without a copy has a result, and later a notification that its buffer is free, which is its last.
TEST(FakeRingTest, SendsWithoutACopyTellLaterWhenTheirBuffersAreFree) {
  constexpr uint64_t kSends = 4;
  std::set<std::vector<uint64_t>> orders;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FakeBench bench({.faults = FakeFaults::All()}, seed);
    SimulatedSystem& system = bench.system;
    SimulatedListener listener(system);
    int client = system.Socket(AF_INET, SOCK_STREAM, 0);
    while (listener.Connect(client) != 0) {
    }
    for (uint64_t i = 0; i < kSends; ++i) {
      io_uring_sqe& entry = bench.Push(IORING_OP_SEND_ZC, i, client);
      entry.addr = reinterpret_cast<uintptr_t>(bench.buffer);
      entry.len = 1;
    }
    std::vector<uint64_t> order;
    std::map<uint64_t, unsigned> results, notifications;
    for (int i = 0; i < 1000 && notifications.size() < kSends; ++i) {
      bench.Enter(1);
      for (const io_uring_cqe& completion : bench.Reap()) {
        order.push_back(completion.user_data);
        if ((completion.flags & IORING_CQE_F_NOTIF) != 0) {
          EXPECT_EQ(completion.flags & IORING_CQE_F_MORE, 0u);
          EXPECT_EQ(results[completion.user_data], 1u) << "the result comes first";
          ++notifications[completion.user_data];
        } else {
          EXPECT_NE(completion.flags & IORING_CQE_F_MORE, 0u);
          ++results[completion.user_data];
        }
      }
    }
    EXPECT_EQ(order.size(), 2 * kSends);
    EXPECT_EQ(notifications.size(), kSends);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 10u) << "each seed has its own moments";
}

TEST(FakeRingTest, OneThreadMayUseIt) {
  FakeBench bench;
  std::thread other([&] { EXPECT_EQ(bench.Enter(), -EEXIST); });
  other.join();
  EXPECT_EQ(bench.Enter(), 0);
  bench.kernel.LoseCompletions();
  EXPECT_EQ(bench.Enter(), -EBADR);
}

}  // namespace
}  // namespace proactor
