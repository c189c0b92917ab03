// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/capabilities.h"
#include "proactor/feature.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Newer than the liburing that this builds with.
constexpr unsigned kFeatureMinTimeout = 1u << 15;  // Linux 6.12
constexpr unsigned kFeatureNoIoWait = 1u << 17;    // Linux 6.15
constexpr unsigned kSetupNoSqArray = 1u << 16;     // Linux 6.6
constexpr unsigned kEnterAbsoluteTimer = 1u << 5;  // Linux 6.12
constexpr unsigned kEnterNoIoWait = 1u << 7;       // Linux 6.15

// The real kernel, or a fake one, as older ones are, or as one that is short of something.
class OtherKernel final : public RingKernel {
 public:
  explicit OtherKernel(RingKernel& real = RingKernel::Real()) : real_(real) {}

  int Setup(unsigned entries, io_uring_params* params) override {
    attempts.push_back({entries, params->cq_entries, params->flags});
    if (setup_error != 0) return -setup_error;
    if (entries > largest) return -ENOMEM;
    if ((params->flags & refused_flags) != 0) return -EINVAL;
    int result = real_.Setup(entries, params);
    descriptor = result;
    params->features &= ~missing_features;
    open += result >= 0;
    return result;
  }
  int Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) override {
    enter_flags.push_back(flags);
    if (enter_error != 0) return -enter_error;
    if (submit > 0 && failed_enters-- > 0) return -EINTR;
    if (swallows && submit > 0) return static_cast<int>(submit);
    for (io_uring_sqe& entry : entries_) {
      if (entry.opcode == ignored_operation) entry.opcode = IORING_OP_NOP;
    }
    return real_.Enter(fd, submit, wait_for, flags, argument, size);
  }
  std::string Release() override { return release; }
  Credentials Asking() override { return asking; }
  Machine& machine() override { return real_.machine(); }
  int Register(int fd, unsigned opcode, void* argument, unsigned count) override {
    registrations.push_back(opcode);
    if (opcode == IORING_REGISTER_IOWQ_MAX_WORKERS) {
      const unsigned* limits = static_cast<const unsigned*>(argument);
      workers = {limits, limits + count};
    }
    if (register_error != 0) return -register_error;
    if (opcode == refused_registration) return -EINVAL;
    int result = real_.Register(fd, opcode, argument, count);
    if (opcode == IORING_REGISTER_RING_FDS && result == 1) ++registered;
    if (opcode == IORING_UNREGISTER_RING_FDS && result == 1) --registered;
    return result;
  }
  void* Map(int fd, size_t size, off_t offset) override {
    if (offset == refused_mapping) {
      errno = ENOMEM;
      return MAP_FAILED;
    }
    ++mapped;
    void* address = real_.Map(fd, size, offset);
    if (offset == IORING_OFF_SQES) entries_ = {static_cast<io_uring_sqe*>(address), size / sizeof(io_uring_sqe)};
    return address;
  }
  void Unmap(void* address, size_t size) override {
    if (address == entries_.data()) entries_ = {};
    --mapped;
    real_.Unmap(address, size);
  }
  void Close(int fd) override {
    --open;
    real_.Close(fd);
  }

  struct Attempt {
    unsigned entries;
    unsigned completions;
    unsigned flags;
  };
  std::vector<Attempt> attempts;
  std::vector<unsigned> enter_flags;
  std::vector<unsigned> registrations;
  std::vector<unsigned> workers;  // What was registered last.
  int descriptor = -1;  // Of the latest ring.
  Credentials asking;
  // What it holds for the rings that there are.
  int open = 0;
  int mapped = 0;
  int registered = 0;

  std::string release;
  int setup_error = 0;
  int enter_error = 0;
  int failed_enters = 0;  // So many that submit are interrupted at first.
  bool swallows = false;  // Takes entries and does nothing.
  int ignored_operation = -1;  // Has it complete without doing anything.
  int register_error = 0;
  unsigned largest = ~0u;
  unsigned refused_flags = 0;
  unsigned missing_features = 0;
  unsigned refused_registration = ~0u;
  off_t refused_mapping = -1;

 private:
  RingKernel& real_;
  std::span<io_uring_sqe> entries_;  // Of the latest ring.
};

// The fake one of some version.
struct FakeMachineAndKernel {
  explicit FakeMachineAndKernel(FakeKernelProfile profile = FakeKernelProfile::Newest())
      : kernel(system, {.profile = profile}) {}

  SimulatedSystem system{{.seed = 1}};
  FakeKernel kernel;
};

std::unique_ptr<Ring> MakeRing(RingOptions options = {}, RingKernel& kernel = RingKernel::Real()) {
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(options, kernel);
  EXPECT_THAT(ring, IsOk());
  EXPECT_THAT((*ring)->Enable(), IsOk());
  return *std::move(ring);
}

void PushNop(Ring& ring, uint64_t user_data) {
  io_uring_sqe* entry = ring.NextEntry();
  ASSERT_NE(entry, nullptr);
  entry->opcode = IORING_OP_NOP;
  entry->user_data = user_data;
  ring.Push();
}

std::vector<uint64_t> Reap(Ring& ring) {
  std::vector<uint64_t> reaped;
  ring.Reap([](uint64_t) {}, [&](const io_uring_cqe& completion) { reaped.push_back(completion.user_data); });
  return reaped;
}

std::vector<uint64_t> Numbers(size_t count) {
  std::vector<uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), uint64_t{0});
  return numbers;
}

MonotonicTime Now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

// --- Entries in, completions out. ---

TEST(RingTest, CompletesInOrderWhatWasPushedInOrder) {
  std::unique_ptr<Ring> ring = MakeRing();
  for (uint64_t i = 0; i < 100; ++i) PushNop(*ring, i);
  EXPECT_EQ(ring->unsubmitted(), 100u);
  EXPECT_FALSE(ring->HasCompletions());
  EXPECT_EQ(ring->Enter(100, MonotonicTime::Infinite()), 100);
  EXPECT_EQ(ring->unsubmitted(), 0u);
  EXPECT_TRUE(ring->HasCompletions());
  EXPECT_EQ(Reap(*ring), Numbers(100));
  EXPECT_FALSE(ring->HasCompletions());
}

TEST(RingTest, AFullQueueHasNoEntryUntilItIsEntered) {
  std::unique_ptr<Ring> ring = MakeRing({.entries = 4});
  ASSERT_EQ(ring->entries(), 4u);
  for (uint64_t i = 0; i < 4; ++i) PushNop(*ring, i);
  EXPECT_EQ(ring->NextEntry(), nullptr);
  EXPECT_EQ(ring->Enter(0, MonotonicTime::Past()), 4);
  for (uint64_t i = 0; i < 4; ++i) PushNop(*ring, i);
  EXPECT_EQ(ring->NextEntry(), nullptr);
}

TEST(RingTest, AnEntryIsZeroHoweverItWasUsedBefore) {
  std::unique_ptr<Ring> ring = MakeRing({.entries = 4});
  constexpr io_uring_sqe kZero = {};
  for (int i = 0; i < 20; ++i) {
    io_uring_sqe* entry = ring->NextEntry();
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(std::memcmp(entry, &kZero, sizeof(kZero)), 0);
    // Not pushed: the same entry comes again.
    std::memset(entry, 0xff, sizeof(*entry));
    EXPECT_EQ(ring->NextEntry(), entry);
    PushNop(*ring, 1);
    EXPECT_EQ(ring->Enter(1, MonotonicTime::Infinite()), 1);
    EXPECT_THAT(Reap(*ring), ElementsAre(1u));
  }
}

TEST(RingTest, ReapingFreesThePlacesAtOnce) {
  std::unique_ptr<Ring> ring = MakeRing({.entries = 4, .completions = 8});
  ASSERT_EQ(ring->completion_entries(), 8u);
  for (uint64_t round = 0; round < 1000; ++round) {
    for (uint64_t half : {0, 4}) {
      for (uint64_t i = 0; i < 4; ++i) PushNop(*ring, half + i);
      ASSERT_EQ(ring->Enter(0, MonotonicTime::Past()), 4);
    }
    ASSERT_EQ(Reap(*ring), Numbers(8));
    ASSERT_FALSE(ring->overflowed());
  }
}

TEST(RingTest, AllOfABatchIsForeseenBeforeTheFirstIsHandled) {
  std::unique_ptr<Ring> ring = MakeRing();
  for (uint64_t i = 0; i < 10; ++i) PushNop(*ring, i);
  ring->Enter(10, MonotonicTime::Infinite());
  std::vector<uint64_t> foreseen, handled;
  unsigned count = ring->Reap([&](uint64_t user_data) { foreseen.push_back(user_data); },
                              [&](const io_uring_cqe& completion) {
                                EXPECT_EQ(foreseen.size(), 10u);
                                handled.push_back(completion.user_data);
                              });
  EXPECT_EQ(count, 10u);
  EXPECT_EQ(foreseen, Numbers(10));
  EXPECT_EQ(handled, Numbers(10));
}

TEST(RingTest, AnOverflowIsSeenAndLosesNothing) {
  std::unique_ptr<Ring> ring = MakeRing({.entries = 4, .completions = 8});
  std::vector<uint64_t> reaped;
  uint64_t pushed = 0;
  bool overflowed = false;
  while (pushed < 40) {
    while (pushed < 40 && ring->NextEntry() != nullptr) PushNop(*ring, pushed++);
    int result = ring->Enter(0, MonotonicTime::Past());
    overflowed = overflowed || ring->overflowed();
    if (result >= 0) continue;
    // An older kernel takes nothing until completions have been taken.
    ASSERT_EQ(result, -EBUSY);
    for (uint64_t user_data : Reap(*ring)) reaped.push_back(user_data);
  }
  EXPECT_TRUE(overflowed);
  while (reaped.size() < 40) {
    ASSERT_TRUE(ring->HasCompletions() || ring->NeedsEnter() || ring->unsubmitted() > 0);
    for (uint64_t user_data : Reap(*ring)) reaped.push_back(user_data);
    ring->Enter(0, MonotonicTime::Past());
  }
  EXPECT_EQ(reaped, Numbers(40));
  EXPECT_FALSE(ring->overflowed());
}

// --- Waiting. ---

class RingTimeoutTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(RingTimeoutTest, IsEtimeAndNeverEarly) {
  OtherKernel kernel;
  kernel.missing_features = GetParam();
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  for (absl::Duration timeout :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Microseconds(50), absl::Seconds(-1), absl::Milliseconds(3)}) {
    for (int i = 0; i < 5; ++i) {
      MonotonicTime until = Now() + timeout;
      EXPECT_EQ(ring->Enter(1, until), -ETIME);
      EXPECT_GE(Now(), until);
    }
  }
  EXPECT_EQ(ring->Enter(1, MonotonicTime::Past()), -ETIME);
}

TEST_P(RingTimeoutTest, ACompletionEndsTheWaitAndTheEntryCounts) {
  OtherKernel kernel;
  kernel.missing_features = GetParam();
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  PushNop(*ring, 1);
  EXPECT_EQ(ring->Enter(1, Now() + absl::Hours(1)), 1);
  EXPECT_THAT(Reap(*ring), ElementsAre(1u));
}

INSTANTIATE_TEST_SUITE_P(Absolute, RingTimeoutTest, ::testing::Values(0u));
INSTANTIATE_TEST_SUITE_P(Relative, RingTimeoutTest, ::testing::Values(kFeatureMinTimeout));

// --- What the kernel is asked for. ---

TEST(RingRequestTest, AnIdleThreadDoesNotCountAsWaitingForADisk) {
  for (unsigned missing : {0u, kFeatureNoIoWait}) {
    FakeMachineAndKernel fake;
    OtherKernel kernel(fake.kernel);
    kernel.missing_features = missing;
    std::unique_ptr<Ring> ring = MakeRing({}, kernel);
    kernel.enter_flags.clear();
    ring->Enter(0, MonotonicTime::Past());
    ring->Enter(1, MonotonicTime::Past());
    ASSERT_EQ(kernel.enter_flags.size(), 2u);
    for (unsigned flags : kernel.enter_flags) EXPECT_EQ((flags & kEnterNoIoWait) != 0, missing == 0);
  }
}

TEST(RingRequestTest, AWaitEndsAtATimeOfTheClockWhereTheKernelCan) {
  for (unsigned missing : {0u, kFeatureMinTimeout}) {
    FakeMachineAndKernel fake;
    OtherKernel kernel(fake.kernel);
    kernel.missing_features = missing;
    std::unique_ptr<Ring> ring = MakeRing({}, kernel);
    MonotonicTime until = kernel.machine().Now() + absl::Milliseconds(3);
    EXPECT_EQ(ring->Enter(1, until), -ETIME);
    EXPECT_EQ(kernel.machine().Now(), until);
    EXPECT_EQ((kernel.enter_flags.back() & kEnterAbsoluteTimer) != 0, missing == 0);
    ring->Enter(0, MonotonicTime::Past());
    EXPECT_EQ(kernel.enter_flags.back() & (kEnterAbsoluteTimer | IORING_ENTER_EXT_ARG), 0u) << "it does not wait";
  }
}

// What is registered later would wait for all requests in flight, on some kernels.
TEST(RingRequestTest, AllButTheRingsOwnNumberIsRegisteredBeforeItIsEnabled) {
  FakeMachineAndKernel fake;
  OtherKernel kernel(fake.kernel);
  kernel.Trust();
  MakeRing({.restricted = true}, kernel);
  EXPECT_THAT(kernel.registrations,
              ElementsAre(IORING_REGISTER_PROBE, IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_IOWQ_MAX_WORKERS,
                          IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS));
  EXPECT_THAT(kernel.workers, ElementsAre(4u, 16u)) << "for a disk, and for anything else";
  kernel.registrations.clear();
  MakeRing({.disabled = *ParseFeatures("iowq_max_workers,registered_ring_fd")}, kernel);
  EXPECT_THAT(kernel.registrations, ElementsAre(IORING_REGISTER_PROBE, IORING_REGISTER_ENABLE_RINGS));
}

// --- From beginning to end. ---

TEST(RingTest, ThreadsMayFillItBeforeTheOneThatEnablesIt) {
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({});
  ASSERT_THAT(ring, IsOk());
  EXPECT_FALSE((*ring)->enabled());
  PushNop(**ring, 5);
  std::thread user([&] {
    EXPECT_THAT((*ring)->Enable(), IsOk());
    EXPECT_TRUE((*ring)->enabled());
    EXPECT_EQ((*ring)->Enter(1, MonotonicTime::Infinite()), 1);
    EXPECT_THAT(Reap(**ring), ElementsAre(5u));
    ring->reset();
  });
  user.join();
}

TEST(RingTest, EnablingBindsItToTheThread) {
  OtherKernel kernel;
  kernel.refused_registration = IORING_REGISTER_RING_FDS;  // Belongs to a thread as well, and would fail first.
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  if ((ring->setup_flags() & IORING_SETUP_SINGLE_ISSUER) == 0) GTEST_SKIP() << "a feature of Linux 6.0";
  PushNop(*ring, 1);
  std::thread other([&] { EXPECT_EQ(ring->Enter(0, MonotonicTime::Past()), -EEXIST); });
  other.join();
  EXPECT_EQ(ring->Enter(1, MonotonicTime::Infinite()), 1);
}

TEST(RingTest, DestroyedWithEntriesInFlightGivesEverythingBack) {
  OtherKernel kernel;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  for (int round = 0; round < 3; ++round) {
    std::unique_ptr<Ring> ring = MakeRing({}, kernel);
    char buffer[8];
    io_uring_sqe* entry = ring->NextEntry();
    io_uring_prep_poll_add(entry, ends[0], POLLIN);
    ring->Push();
    entry = ring->NextEntry();
    io_uring_prep_read(entry, ends[0], buffer, sizeof(buffer), -1);
    ring->Push();
    EXPECT_EQ(ring->Enter(0, MonotonicTime::Past()), 2);
    PushNop(*ring, 1);
    EXPECT_EQ(kernel.open, 1);
    EXPECT_EQ(kernel.mapped, 2);
    EXPECT_FALSE(ring->HasCompletions());
    ring.reset();
    EXPECT_EQ(kernel.open, 0);
    EXPECT_EQ(kernel.mapped, 0);
    EXPECT_EQ(kernel.registered, 0) << "a registered ring lives until its thread ends, whatever else is closed";
  }
  for (int end : ends) close(end);
}

TEST(RingTest, WorksByItsDescriptorWhereItCannotBeRegistered) {
  OtherKernel kernel;
  kernel.refused_registration = IORING_REGISTER_RING_FDS;
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  EXPECT_EQ(kernel.registered, 0);
  PushNop(*ring, 1);
  EXPECT_EQ(ring->Enter(1, MonotonicTime::Infinite()), 1);
}

TEST(RingTest, KnowsTheOpcodesThatTheKernelHas) {
  std::unique_ptr<Ring> ring = MakeRing();
  EXPECT_TRUE(ring->Supports(IORING_OP_NOP));
  EXPECT_TRUE(ring->Supports(IORING_OP_ASYNC_CANCEL));
  EXPECT_FALSE(ring->Supports(254));
  EXPECT_FALSE(ring->Supports(100'000));
  OtherKernel kernel;
  kernel.refused_registration = IORING_REGISTER_PROBE;
  EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("nop, poll_add")))
      << "nothing is known, so nothing is relied on";
}

// --- Setting up: the ladder. ---

TEST(RingSetupTest, TheBestSetOfFlagsIsTriedFirst) {
  OtherKernel kernel;
  std::unique_ptr<Ring> ring = MakeRing({.entries = 256, .completions = 4096}, kernel);
  ASSERT_FALSE(kernel.attempts.empty());
  EXPECT_EQ(kernel.attempts[0].entries, 256u);
  EXPECT_EQ(kernel.attempts[0].completions, 4096u);
  EXPECT_NE(kernel.attempts[0].flags & IORING_SETUP_DEFER_TASKRUN, 0u);
}

// Each refused flag leads one rung down, and what is below stays.
TEST(RingSetupTest, WhatTheKernelRefusesIsLeftOutAndNothingElse) {
  struct {
    unsigned refused;
    unsigned kept;
    size_t attempts;
  } kRungs[] = {
      {kSetupNoSqArray, IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN, 2},
      {IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, 3},
      {IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 4},
      {IORING_SETUP_COOP_TASKRUN, IORING_SETUP_SUBMIT_ALL, 5},
      {IORING_SETUP_SUBMIT_ALL, IORING_SETUP_R_DISABLED, 6},
  };
  for (const auto& rung : kRungs) {
    OtherKernel kernel;
    kernel.Trust();
    kernel.refused_flags = rung.refused;
    std::unique_ptr<Ring> ring = MakeRing({}, kernel);
    EXPECT_EQ(kernel.attempts.size(), rung.attempts);
    EXPECT_EQ(ring->setup_flags() & rung.refused, 0u);
    EXPECT_EQ(ring->setup_flags() & rung.kept, rung.kept);
    PushNop(*ring, 1);
    EXPECT_EQ(ring->Enter(1, MonotonicTime::Infinite()), 1);
    EXPECT_THAT(Reap(*ring), ElementsAre(1u));
  }
}

TEST(RingSetupTest, AKernelThatRefusesEverythingIsAnError) {
  OtherKernel kernel;
  kernel.refused_flags = ~0u;
  EXPECT_THAT(Ring::Create({}, kernel),
              StatusIs(absl::StatusCode::kInvalidArgument, "io_uring_setup: Invalid argument"));
  EXPECT_EQ(kernel.attempts.size(), 6u);
}

TEST(RingSetupTest, TooLittleLockedMemoryHalvesTheRing) {
  OtherKernel kernel;
  kernel.largest = 64;
  kernel.Trust();
  std::unique_ptr<Ring> ring = MakeRing({.entries = 256, .completions = 4096}, kernel);
  std::vector<unsigned> entries, completions;
  for (const OtherKernel::Attempt& attempt : kernel.attempts) {
    // The last size is tried again without the flags that this kernel does not have.
    if (!entries.empty() && entries.back() == attempt.entries) continue;
    entries.push_back(attempt.entries);
    completions.push_back(attempt.completions);
  }
  EXPECT_THAT(entries, ElementsAre(256u, 128u, 64u));
  EXPECT_THAT(completions, ElementsAre(4096u, 2048u, 1024u));
  EXPECT_EQ(ring->entries(), 64u);
  EXPECT_EQ(ring->completion_entries(), 1024u);
}

TEST(RingSetupTest, ARingThatIsTooSmallToBeUsefulIsNotMade) {
  OtherKernel kernel;
  kernel.largest = 0;
  EXPECT_THAT(Ring::Create({}, kernel),
              StatusIs(absl::StatusCode::kResourceExhausted, "io_uring_setup: Cannot allocate memory"));
  EXPECT_EQ(kernel.attempts.back().entries, 32u);
}

// The ring could not be used, which the loop would find out when it is too late to choose another backend.
TEST(RingSetupTest, AFilterThatAllowsSetupAloneIsFoundAtOnce) {
  for (int error : {EPERM, ENOSYS, EACCES}) {
    OtherKernel kernel;
    kernel.enter_error = error;
    EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::ErrnoToStatusCode(error), HasSubstr("io_uring_enter: ")));
    kernel.enter_error = 0;
    kernel.register_error = error;
    EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::ErrnoToStatusCode(error), HasSubstr("io_uring_register: ")));
    EXPECT_EQ(kernel.open, 0);
    EXPECT_EQ(kernel.mapped, 0);
  }
}

// What a container's filter and a sysctl answer, and a kernel without io_uring. Nothing would help.
TEST(RingSetupTest, AKernelThatForbidsItIsAskedOnceAndTheStatusNamesTheCall) {
  struct {
    int error;
    absl::StatusCode code;
    const char* message;
  } kAnswers[] = {
      {EPERM, absl::StatusCode::kPermissionDenied, "io_uring_setup: Operation not permitted"},
      {ENOSYS, absl::StatusCode::kUnimplemented, "io_uring_setup: Function not implemented"},
      {EMFILE, absl::StatusCode::kResourceExhausted, "io_uring_setup: Too many open files"},
  };
  for (const auto& answer : kAnswers) {
    OtherKernel kernel;
    kernel.setup_error = answer.error;
    EXPECT_THAT(Ring::Create({}, kernel), StatusIs(answer.code, answer.message));
    EXPECT_EQ(kernel.attempts.size(), 1u);
  }
}

TEST(RingSetupTest, AKernelWithoutARequiredFeatureIsAnErrorThatLeavesNothingBehind) {
  for (unsigned feature :
       {IORING_FEAT_SINGLE_MMAP, IORING_FEAT_NODROP, IORING_FEAT_SUBMIT_STABLE, IORING_FEAT_RW_CUR_POS,
        IORING_FEAT_FAST_POLL, IORING_FEAT_EXT_ARG, IORING_FEAT_NATIVE_WORKERS}) {
    OtherKernel kernel;
    kernel.missing_features = feature;
    EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::StatusCode::kUnimplemented,
                                                   AllOf(HasSubstr("lacks "), HasSubstr("Linux 5.12"))));
    EXPECT_EQ(kernel.open, 0);
  }
}

TEST(RingSetupTest, MemoryThatCannotBeMappedIsAnErrorThatLeavesNothingBehind) {
  for (off_t mapping : {off_t{IORING_OFF_SQ_RING}, off_t{IORING_OFF_SQES}}) {
    OtherKernel kernel;
    kernel.refused_mapping = mapping;
    EXPECT_THAT(Ring::Create({}, kernel),
                StatusIs(absl::StatusCode::kResourceExhausted, "mmap of the io_uring: Cannot allocate memory"));
    EXPECT_EQ(kernel.mapped, 0);
    EXPECT_EQ(kernel.open, 0);
  }
}

// --- Features. ---

// A kernel is asked once in a process, not by each ring.
TEST(RingFeatureTest, WhatSetupRefusesIsNotAskedForAgain) {
  OtherKernel kernel;
  kernel.refused_flags = kSetupNoSqArray | IORING_SETUP_DEFER_TASKRUN;
  MakeRing({}, kernel);
  size_t first = kernel.attempts.size();
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  EXPECT_EQ(kernel.attempts.size(), first + 1) << "nor is a ring tested that is like one that works";
  EXPECT_FALSE(ring->Has(Feature::kDeferTaskrun));
  EXPECT_TRUE(ring->Has(Feature::kSingleIssuer));
}

TEST(RingFeatureTest, SaysWhatThereIs) {
  OtherKernel kernel;
  kernel.missing_features = kFeatureNoIoWait;
  kernel.refused_registration = IORING_REGISTER_IOWQ_MAX_WORKERS;
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  EXPECT_FALSE(ring->Has(Feature::kNoIoWait));
  EXPECT_FALSE(ring->Has(Feature::kWorkerLimit));
  EXPECT_TRUE(ring->Has(Feature::kNop));
  EXPECT_TRUE(ring->Has(Feature::kNoDrop));
  EXPECT_EQ(ring->Has(Feature::kSubmitAll), (ring->setup_flags() & IORING_SETUP_SUBMIT_ALL) != 0);
}

TEST(RingFeatureTest, WhatIsDisabledIsNotUsed) {
  for (std::string_view words : FeatureProfiles()) {
    FeatureSet disabled = *ParseFeatures(words);
    OtherKernel kernel;
    std::unique_ptr<Ring> ring = MakeRing({.disabled = disabled}, kernel);
    EXPECT_TRUE((ring->features() & disabled).empty()) << words;
    EXPECT_EQ(ring->Has(Feature::kSubmitAll), (ring->setup_flags() & IORING_SETUP_SUBMIT_ALL) != 0) << words;
    EXPECT_EQ(ring->Supports(IORING_OP_RECV), !disabled.Contains(Feature::kRecv)) << words;
    EXPECT_TRUE((kernel.lacks() & disabled).empty()) << "what is disabled says nothing of the kernel: " << words;
    PushNop(*ring, 1);
    EXPECT_EQ(ring->Enter(1, MonotonicTime::Infinite()), 1);
    EXPECT_THAT(Reap(*ring), ElementsAre(1u));
  }
}

// Each alone, because some mean nothing without others.
TEST(RingFeatureTest, AnyOneFeatureMayBeDisabled) {
  for (const FeatureFacts& facts : AllFeatures()) {
    FeatureSet disabled;
    disabled.Add(facts.feature);
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({.disabled = disabled});
    if (facts.substitute == Substitute::kNone) {
      EXPECT_THAT(ring, StatusIs(absl::StatusCode::kUnimplemented,
                                 "io_uring is not used without " + std::string(facts.name) + ", which is disabled"));
    } else {
      EXPECT_THAT(ring, IsOk()) << facts.name;
    }
  }
}

TEST(RingFeatureTest, SaysWhyAFeatureIsOff) {
  OtherKernel kernel;
  kernel.refused_flags = IORING_SETUP_DEFER_TASKRUN;
  kernel.missing_features = kFeatureNoIoWait;
  kernel.refused_registration = IORING_REGISTER_IOWQ_MAX_WORKERS;
  std::unique_ptr<Ring> ring = MakeRing({.disabled = *ParseFeatures("fsync")}, kernel);
  ring->Downgrade(Feature::kMultishotPoll);
  struct {
    Feature feature;
    Capability::State state;
    const char* why;
  } kExpected[] = {
      {Feature::kNop, Capability::kOn, ""},
      {Feature::kFsync, Capability::kDisabled, "disabled by PROACTOR_DISABLE or in code"},
      {Feature::kDeferTaskrun, Capability::kLacking, "io_uring_setup refuses it; Linux 6.1 has it"},
      {Feature::kNoIoWait, Capability::kLacking, "io_uring_setup does not list it; Linux 6.15 has it"},
      {Feature::kWorkerLimit, Capability::kLacking, "io_uring_register refuses it; Linux 5.15 has it"},
      {Feature::kMultishotPoll, Capability::kLacking, "a request for it was refused; Linux 5.13 has it"},
  };
  for (const auto& expected : kExpected) {
    Capability capability = ring->CapabilityFor(expected.feature);
    EXPECT_EQ(capability.feature, expected.feature);
    EXPECT_EQ(capability.state, expected.state) << FactsOf(expected.feature).name;
    EXPECT_EQ(capability.why, expected.why) << FactsOf(expected.feature).name;
  }
  ring = MakeRing({.disabled = *ParseFeatures("single_issuer")});
  EXPECT_EQ(ring->CapabilityFor(Feature::kDeferTaskrun).why, "needs single_issuer, which is disabled");
}

// Nothing lists some of the features: they are there where their markers are.
TEST(RingFeatureTest, EachVersionOfTheKernelHasItsFeatures) {
  using Profile = FakeKernelProfile;
  constexpr char k5_15[] =
      "submit_all,coop_taskrun,single_issuer,defer_taskrun,no_sqarray,abs_timer,no_iowait,registered_ring_fd,"
      "registered_files,multishot_accept,buffer_ring,multishot_recv,ftruncate";
  auto hiding = [](unsigned operation) {
    Profile profile = Profile::Newest();
    profile.hidden_operation = operation;
    return profile;
  };
  struct {
    Profile profile;
    const char* off;
  } kExpected[] = {
      {Profile::Linux5_10(), k5_15},
      {Profile::Linux5_15(), k5_15},
      {Profile::Linux5_19(),
       "single_issuer,defer_taskrun,no_sqarray,abs_timer,no_iowait,registered_ring_fd,registered_files,"
       "buffer_ring,multishot_recv,ftruncate"},
      {Profile::Linux6_0(),
       "defer_taskrun,no_sqarray,abs_timer,no_iowait,registered_files,buffer_ring,multishot_recv,ftruncate"},
      {Profile::Linux6_1(), "no_sqarray,abs_timer,no_iowait,registered_files,ftruncate"},
      {Profile::Linux6_6(), "abs_timer,no_iowait,registered_files,ftruncate"},
      {Profile::Newest(), ""},
      {hiding(IORING_OP_SOCKET), "multishot_accept,buffer_ring"},
      {hiding(IORING_OP_SEND_ZC), "registered_ring_fd,multishot_recv,buffer_ring"},
      {hiding(IORING_OP_ACCEPT), "accept,multishot_accept"},
      {hiding(IORING_OP_RECV), "recv,multishot_recv,buffer_ring"},
  };
  for (const auto& expected : kExpected) {
    FakeMachineAndKernel fake(expected.profile);
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, fake.kernel);
    ASSERT_THAT(ring, IsOk());
    for (const FeatureFacts& facts : AllFeatures()) {
      bool off = ParseFeatures(expected.off)->Contains(facts.feature);
      EXPECT_EQ((*ring)->Has(facts.feature), !off)
          << facts.name << " on " << expected.profile.name << " without " << expected.profile.hidden_operation;
    }
  }
}

TEST(RingFeatureTest, WhatTheUserDisablesIsNotPutDownToTheKernel) {
  for (const FeatureFacts& facts : AllFeatures()) {
    if (facts.substitute == Substitute::kNone) continue;
    for (bool restricted : {false, true}) {
      FakeMachineAndKernel fake;
      RingOptions options = {.disabled = *ParseFeatures(facts.name), .restricted = restricted};
      std::unique_ptr<Ring> ring = MakeRing(options, fake.kernel);
      for (const Capability& capability : ring->capabilities().features) {
        EXPECT_NE(capability.state, Capability::kLacking) << capability.why << " without " << facts.name;
        EXPECT_EQ(capability.needs.value_or(facts.feature), facts.feature);
      }
    }
  }
}

TEST(RingFeatureTest, SaysWhatElseAFeatureNeeds) {
  auto why = [](FakeKernelProfile profile, std::string_view disabled, Feature feature) {
    FakeMachineAndKernel fake(profile);
    return MakeRing({.disabled = *ParseFeatures(disabled)}, fake.kernel)->CapabilityFor(feature).why;
  };
  using Profile = FakeKernelProfile;
  EXPECT_EQ(why(Profile::Linux6_0(), "", Feature::kMultishotReceive),
            "needs defer_taskrun: io_uring_setup refuses it; Linux 6.1 has it");
  EXPECT_EQ(why(Profile::Linux6_0(), "", Feature::kBufferRing),
            "needs defer_taskrun: io_uring_setup refuses it; Linux 6.1 has it");
  EXPECT_EQ(why(Profile::Newest(), "single_issuer", Feature::kMultishotReceive),
            "needs single_issuer, which is disabled");
  EXPECT_EQ(why(Profile::Newest(), "accept", Feature::kMultishotAccept), "needs accept, which is disabled");
  FakeMachineAndKernel fake;
  EXPECT_EQ(MakeRing({.restricted = true}, fake.kernel)->CapabilityFor(Feature::kRegisteredFiles).why,
            "a restricted ring does without it");
  EXPECT_EQ(why(Profile::Linux5_15(), "", Feature::kMultishotAccept),
            "io_uring_register(PROBE) does not list socket, which came with it; Linux 5.19 has it");
}

TEST(RingFeatureTest, ADowngradeIsTheReasonFromThenOn) {
  FakeMachineAndKernel fake;
  std::unique_ptr<Ring> ring = MakeRing({}, fake.kernel);
  ring->Downgrade(Feature::kMultishotAccept);
  ring->Downgrade(Feature::kMultishotReceive);
  std::unique_ptr<Ring> next = MakeRing({.restricted = true}, fake.kernel);
  for (Ring* one : {ring.get(), next.get()}) {
    EXPECT_EQ(one->CapabilityFor(Feature::kMultishotAccept).why, "a request for it was refused; Linux 5.19 has it");
    EXPECT_EQ(one->CapabilityFor(Feature::kMultishotReceive).why, "a request for it was refused; Linux 6.0 has it");
  }
  EXPECT_EQ(next->CapabilityFor(Feature::kBufferRing).why,
            "needs multishot_recv: a request for it was refused; Linux 6.0 has it");
}

TEST(RingFeatureTest, ADowngradeHoldsForTheRingsAfterIt) {
  OtherKernel kernel;
  std::unique_ptr<Ring> ring = MakeRing({}, kernel);
  EXPECT_TRUE(ring->Has(Feature::kMultishotPoll));
  ring->Downgrade(Feature::kMultishotPoll);
  EXPECT_FALSE(ring->Has(Feature::kMultishotPoll));
  EXPECT_FALSE(MakeRing({}, kernel)->Has(Feature::kMultishotPoll));
  OtherKernel another;
  EXPECT_TRUE(MakeRing({}, another)->Has(Feature::kMultishotPoll));
}

// --- Trust. ---

TEST(RingTrustTest, ARingThatGivesNothingBackIsNotTrusted) {
  OtherKernel kernel;
  kernel.swallows = true;
  EXPECT_THAT(Ring::Create({}, kernel),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("did not come back")));
  EXPECT_EQ(kernel.open, 0);
  EXPECT_EQ(kernel.mapped, 0);
}

TEST(RingTrustTest, ARingThatDoesNotTransferOrDoesNotCancelIsNotTrusted) {
  for (int operation : {IORING_OP_SEND, IORING_OP_RECV, IORING_OP_ASYNC_CANCEL}) {
    OtherKernel kernel;
    kernel.ignored_operation = operation;
    EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("did not come back")))
        << operation;
    EXPECT_EQ(kernel.open, 0);
  }
}

TEST(RingTrustTest, WhatIsNotUsedIsNotTried) {
  OtherKernel kernel;
  kernel.ignored_operation = IORING_OP_SEND;
  EXPECT_THAT(Ring::Create({.disabled = *ParseFeatures("send")}, kernel), IsOk());
  EXPECT_TRUE(kernel.trusted());
  OtherKernel another;
  EXPECT_THAT(Ring::Create({.restricted = true}, another), IsOk());
  EXPECT_TRUE(another.trusted());
}

TEST(RingTrustTest, TryingLeavesNoDescriptorOpen) {
  OtherKernel kernel;
  int before = dup(STDERR_FILENO);
  close(before);
  EXPECT_THAT(Ring::Create({}, kernel), IsOk());
  int after = dup(STDERR_FILENO);
  close(after);
  EXPECT_EQ(after, before);
}

TEST(RingTrustTest, InterruptionsAreNoReasonForDistrust) {
  OtherKernel kernel;
  kernel.failed_enters = 3;
  EXPECT_THAT(Ring::Create({}, kernel), IsOk());
  EXPECT_TRUE(kernel.trusted());
}

TEST(RingTrustTest, AReleaseThatLosesEventsIsNotTriedAtAll) {
  OtherKernel kernel;
  kernel.release = "5.14.10";
  EXPECT_THAT(Ring::Create({}, kernel), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("5.14.10")));
  EXPECT_TRUE(kernel.attempts.empty());
}

TEST(RingSetupTest, AFailureToEnableIsAStatusThatNamesTheCall) {
  OtherKernel kernel;
  kernel.refused_registration = IORING_REGISTER_ENABLE_RINGS;
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel);
  ASSERT_THAT(ring, IsOk());
  EXPECT_THAT((*ring)->Enable(),
              StatusIs(absl::StatusCode::kInvalidArgument, "io_uring_register(ENABLE_RINGS): Invalid argument"));
  EXPECT_FALSE((*ring)->enabled());
}

// --- What it is not to be used for. ---

int ResultOf(Ring& ring, uint8_t opcode, uint8_t flags = 0) {
  io_uring_sqe* entry = ring.NextEntry();
  entry->opcode = opcode;
  entry->flags = flags;
  entry->fd = -1;
  ring.Push();
  EXPECT_EQ(ring.Enter(1, MonotonicTime::Infinite()), 1);
  int result = 1;
  ring.Reap([](uint64_t) {}, [&](const io_uring_cqe& completion) { result = completion.res; });
  return result;
}

TEST(RestrictedRingTest, WhatTheLibraryDoesNotUseIsRefused) {
  OtherKernel kernel;
  std::unique_ptr<Ring> free = MakeRing({}, kernel);  // The first is tested, which takes another.
  std::unique_ptr<Ring> ring = MakeRing({.restricted = true}, kernel);
  for (uint8_t foreign : {IORING_OP_SOCKET, IORING_OP_MKDIRAT, IORING_OP_EPOLL_CTL, IORING_OP_MADVISE}) {
    EXPECT_EQ(ResultOf(*ring, foreign), -EACCES) << int{foreign};
    EXPECT_NE(ResultOf(*free, foreign), -EACCES) << int{foreign};
    EXPECT_FALSE(ring->Supports(foreign)) << "operations with it are performed by other means";
  }
  EXPECT_EQ(ResultOf(*ring, IORING_OP_NOP, IOSQE_IO_DRAIN), -EACCES);
  EXPECT_EQ(ResultOf(*free, IORING_OP_NOP, IOSQE_IO_DRAIN), 0);
  int files[1] = {-1};
  EXPECT_EQ(kernel.Register(kernel.descriptor, IORING_REGISTER_FILES, files, 1), -EACCES);
}

TEST(RestrictedRingTest, WhatItUsesIsNot) {
  OtherKernel kernel;
  std::unique_ptr<Ring> ring = MakeRing({.restricted = true}, kernel);
  EXPECT_EQ(ResultOf(*ring, IORING_OP_NOP), 0);
  EXPECT_EQ(ResultOf(*ring, IORING_OP_NOP, IOSQE_ASYNC), 0);
  EXPECT_EQ(ResultOf(*ring, IORING_OP_CLOSE), -EBADF);
  EXPECT_EQ(kernel.registered, MakeRing()->Has(Feature::kRegisteredRingFd) ? 1 : 0);
  ring.reset();
  EXPECT_EQ(kernel.registered, 0);
}

TEST(RestrictedRingTest, AKernelThatDoesNotRestrictIsAnError) {
  OtherKernel kernel;
  kernel.refused_registration = IORING_REGISTER_RESTRICTIONS;
  EXPECT_THAT(Ring::Create({.restricted = true}, kernel),
              StatusIs(absl::StatusCode::kInvalidArgument, "io_uring_register(RESTRICTIONS): Invalid argument"));
  EXPECT_THAT(Ring::Create({}, kernel), IsOk());
}

TEST(RingSetupTest, IsNotEnabledWithOtherPrivilegesThanItWasCreatedWith) {
  OtherKernel kernel;
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel);
  ASSERT_THAT(ring, IsOk());
  kernel.asking.user = {65534, 65534, 65534, 65534};
  EXPECT_THAT((*ring)->Enable(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("privileges have changed since")));
  EXPECT_FALSE((*ring)->enabled());
}

}  // namespace
}  // namespace proactor
