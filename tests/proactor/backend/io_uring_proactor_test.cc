// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/io_uring_proactor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/feature.h"
#include "proactor/fs/file.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

// The real kernel, with faults that it is allowed to have.
class FaultyKernel final : public RingKernel {
 public:
  int Setup(unsigned entries, io_uring_params* params) override {
    if (entries > largest_ring) return -ENOMEM;
    if ((params->flags & refused_flags) != 0) return -EINVAL;
    return real_.Setup(entries, params);
  }
  int Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) override {
    ++enters;
    if (refuse_multishot_poll) MakePollsWrong();
    if (fault_every > 0 && enters % fault_every == 0) {
      constexpr int kFaults[] = {-EINTR, -EAGAIN, -EBUSY};
      return kFaults[enters / fault_every % 3];
    }
    // A part only, and then no wait, as when a request could not be allocated.
    if (partial_submit && submit > 1) return real_.Enter(fd, submit / 2, 0, flags, nullptr, 0);
    return real_.Enter(fd, submit, wait_for, flags, argument, size);
  }
  int Register(int fd, unsigned opcode, void* argument, unsigned count) override {
    if (opcode == IORING_REGISTER_PROBE && hidden_opcode >= 0) {
      int result = real_.Register(fd, opcode, argument, count);
      static_cast<io_uring_probe*>(argument)->ops[hidden_opcode].flags = 0;
      return result;
    }
    if (opcode == IORING_REGISTER_RING_FDS && refuse_registered_ring) return -EINVAL;
    return real_.Register(fd, opcode, argument, count);
  }
  void* Map(int fd, size_t size, off_t offset) override {
    void* address = real_.Map(fd, size, offset);
    if (offset == IORING_OFF_SQES) entries_ = {static_cast<io_uring_sqe*>(address), size / sizeof(io_uring_sqe)};
    return address;
  }
  void Unmap(void* address, size_t size) override { real_.Unmap(address, size); }
  void Close(int fd) override { real_.Close(fd); }

  unsigned largest_ring = ~0u;
  unsigned refused_flags = 0;
  int fault_every = 0;
  bool partial_submit = false;
  int hidden_opcode = -1;
  bool refuse_registered_ring = false;
  int enters = 0;
  bool refuse_multishot_poll = false;  // For one ring at a time.
  int refused_polls = 0;

 private:
  void MakePollsWrong() {
    for (io_uring_sqe& entry : entries_) {
      if (entry.opcode != IORING_OP_POLL_ADD || entry.len != IORING_POLL_ADD_MULTI) continue;
      entry.len = 1u << 15;  // No flag that there is: EINVAL, as from a kernel that knows none.
      ++refused_polls;
    }
  }

  std::span<io_uring_sqe> entries_;
  RingKernel& real_ = RingKernel::Real();
};

std::unique_ptr<Scheduler> MakeScheduler(RingOptions options = {}, RingKernel& kernel = RingKernel::Real()) {
  absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create(options, kernel);
  EXPECT_THAT(proactor, IsOk());
  return std::make_unique<Scheduler>(*std::move(proactor));
}

// Many readers of pipes, each of which gets one byte if `feed` is set, or else a common deadline.
class Readers {
 public:
  explicit Readers(int count) {
    for (int i = 0; i < count; ++i) {
      int ends[2];
      EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
      read_ends_.push_back(ends[0]);
      write_ends_.push_back(ends[1]);
    }
  }
  ~Readers() { HangUp(); }

  // Every read that goes on reads the end.
  void HangUp() {
    for (int fd : write_ends_) close(fd);
    write_ends_.clear();
  }

  // Each gets its byte right after it was asked to end.
  Task<absl::Status> FeedTooLate() {
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int fd : read_ends_) group.Spawn(ReadOne(fd));
      co_await Try(Sleep(absl::Milliseconds(1)));
      group.Cancel();
      Feed();
      co_return absl::OkStatus();
    };
    co_return co_await WithTaskGroup(body);
  }

  Task<absl::Status> ReadAll(absl::Duration deadline) {
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (int fd : read_ends_) group.Spawn(ReadOne(fd));
      // Every reader has submitted before the first byte comes.
      co_await Try(Sleep(absl::Milliseconds(1)));
      if (deadline == absl::InfiniteDuration()) Feed();
      co_return absl::OkStatus();
    };
    co_return co_await WithTimeout(deadline, WithTaskGroup(body));
  }

  int succeeded = 0;
  int cancelled = 0;

 private:
  Task<absl::Status> ReadOne(int fd) {
    File file = co_await Try(File::Adopt(fd));
    char byte;
    absl::StatusOr<size_t> n = co_await file.Read({&byte, 1});
    succeeded += n.ok() && *n == 1;
    cancelled += absl::IsCancelled(n.status());
    co_return n.status();
  }
  void Feed() {
    for (int fd : write_ends_) EXPECT_EQ(write(fd, "x", 1), 1);
  }

  std::vector<int> read_ends_;
  std::vector<int> write_ends_;
};

// Lets the readers' common deadline pass. In a number of turns, so that a cancellation that is lost fails the test
// instead of stopping it.
void ExpectAllCancelled(Scheduler& scheduler, Readers& readers, int count) {
  absl::Status status = absl::UnknownError("they have not ended");
  auto read = [&]() -> Task<absl::Status> {
    status = co_await readers.ReadAll(absl::Milliseconds(20));
    co_return absl::OkStatus();
  };
  scheduler.Spawn(read());
  for (int turn = 0; turn < 500 && !scheduler.idle(); ++turn) scheduler.Turn(scheduler.Now() + absl::Milliseconds(10));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(readers.cancelled, count);
  readers.HangUp();
  scheduler.Shutdown();
}

// --- Its end. ---

Task<absl::Status> Nap() { co_return co_await Sleep(absl::Microseconds(1)); }

int OpenDescriptors() {
  std::filesystem::directory_iterator open("/proc/self/fd"), end;
  return static_cast<int>(std::distance(open, end));
}

// Each with its poll for wakes armed, and with requests to cancel that nobody has seen the answers of.
TEST(IoUringProactorTest, RingsThatEndInTheMiddleOfThingsLeaveNothingBehind) {
  MakeScheduler();
  const int before = OpenDescriptors();
  for (int i = 0; i < 50; ++i) {
    std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4});
    Readers readers(10);
    scheduler->Spawn(readers.ReadAll(absl::InfiniteDuration()));
    while (scheduler->counters().operations.value() < 10) scheduler->Turn(MonotonicTime::Past());
    scheduler.reset();
    EXPECT_EQ(readers.succeeded + readers.cancelled, 10);
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

// A registration is the thread's, and known by an index that another thread has too. The kernel refuses to be asked by
// another thread only where the ring has promised that there is none.
TEST(IoUringProactorTest, OneThatEndsOnAnotherThreadLeavesTheRingOfThatThreadAlone) {
  RingOptions shared;
  shared.disabled.Add(Feature::kSingleIssuer);
  std::unique_ptr<Scheduler> stray = MakeScheduler(shared);
  std::thread([&] { EXPECT_THAT(stray->Run(Nap()), IsOk()); }).join();
  std::unique_ptr<Scheduler> own = MakeScheduler(shared);
  EXPECT_THAT(own->Run(Nap()), IsOk());
  stray.reset();
  EXPECT_THAT(own->Run(Nap()), IsOk());
}

// Invariant 12: a full submission queue is a normal event, handled and counted.
TEST(IoUringProactorTest, AFullSubmissionQueueIsFlushedAndLosesNothing) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4});
  Readers readers(200);
  EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
  EXPECT_EQ(readers.succeeded, 200);
  EXPECT_GT(scheduler->counters().flushes.value(), 0);
}

TEST(IoUringProactorTest, AKernelThatTakesOnlyAPartLosesNothing) {
  FaultyKernel kernel;
  kernel.partial_submit = true;
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4}, kernel);
  Readers readers(200);
  EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
  EXPECT_EQ(readers.succeeded, 200);
}

TEST(IoUringProactorTest, OperationsStandInLineWhenTheKernelTakesNothing) {
  FaultyKernel kernel;
  kernel.fault_every = 2;
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4}, kernel);
  Readers readers(200);
  EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
  EXPECT_EQ(readers.succeeded, 200);
  EXPECT_GT(scheduler->counters().full_queues.value(), 0);
  EXPECT_GT(scheduler->counters().interruptions.value(), 0);
}

TEST(IoUringProactorTest, AnOverflowingCompletionQueueLosesNothing) {
  // Room for 8 completions; 300 reads become ready at once.
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4, .completions = 8});
  Readers readers(300);
  EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
  EXPECT_EQ(readers.succeeded, 300);
}

// Invariant 4: no request to cancel is lost, with a queue much smaller than their number.
TEST(IoUringProactorTest, TenTimesTheQueueOfReadsWithOneDeadlineAllEnd) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 16});
  Readers readers(160);
  ExpectAllCancelled(*scheduler, readers, 160);
  EXPECT_LE(scheduler->counters().cancels.value(), 160) << "more than one request for each operation";
}

TEST(IoUringProactorTest, CancelsStandInLineWhenTheKernelTakesNothing) {
  FaultyKernel kernel;
  kernel.fault_every = 2;
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4}, kernel);
  Readers readers(200);
  ExpectAllCancelled(*scheduler, readers, 200);
}

TEST(IoUringProactorTest, ReadsThatEndWhileTheirCancelsStandInLineAreNotAskedAgain) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4});
  Readers readers(200);
  EXPECT_THAT(scheduler->Run(readers.FeedTooLate()), IsOk());
  EXPECT_EQ(readers.succeeded + readers.cancelled, 200);
  EXPECT_GT(readers.succeeded, 150);
  int64_t cancels = scheduler->counters().cancels.value();
  EXPECT_THAT(scheduler->Run(Nap()), IsOk());
  EXPECT_EQ(scheduler->counters().cancels.value(), cancels) << "for operations that have ended";
}

// Invariant 2: the kernel has the buffer until it says otherwise.
TEST(IoUringProactorTest, ARequestToCancelIsNotTheEndOfTheOperation) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  bool ended = false;
  auto read = [&](CancelScope& scope) -> Task<absl::Status> {
    auto cancel = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(1)));
      scope.Cancel();
      absl::Status others_ran = co_await Shield(Sleep(absl::ZeroDuration()));
      EXPECT_FALSE(ended) << "the kernel has not even been asked";
      co_return others_ran;
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(cancel());
      File file = co_await Try(File::Adopt(ends[0]));
      char byte;
      absl::StatusOr<size_t> n = co_await file.Read({&byte, 1});
      ended = true;
      co_return n.status();
    };
    co_return co_await WithTaskGroup(body);
  };
  EXPECT_THAT(scheduler->Run(WithCancelScope(read)), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(ended);
  close(ends[1]);
}

TEST(IoUringProactorTest, SignalsDoNotReachTheUser) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  struct sigaction before;
  ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
  itimerval every = {.it_interval = {0, 300}, .it_value = {0, 300}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &every, nullptr), 0);
  std::unique_ptr<Scheduler> scheduler = MakeScheduler();
  const Counter& interruptions = scheduler->counters().interruptions;
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 50 || (interruptions.value() == 0 && i < 20'000); ++i) {
      co_await Try(Sleep(absl::Milliseconds(1)));
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler->Run(body()), IsOk());
  EXPECT_GT(interruptions.value(), 0);
  every = {};
  setitimer(ITIMER_REAL, &every, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

TEST(IoUringProactorTest, AnOpcodeThatTheKernelLacksIsPerformedDirectly) {
  FaultyKernel kernel;
  kernel.hidden_opcode = 55;  // FTRUNCATE, new in Linux 6.9.
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({}, kernel);
  std::string path = ::testing::TempDir() + "/truncated.XXXXXX";
  int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  auto body = [&]() -> Task<absl::Status> {
    File file = co_await Try(File::Adopt(fd));
    co_await Try(file.Truncate(123));
    FileStatus status = co_await Try(file.Stat());
    EXPECT_EQ(status.size, 123);
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler->Run(body()), IsOk());
  unlink(path.c_str());
}

// What has no opcode is polled by the ring: no thread waits, and a full queue and cancellations are as ever.
TEST(IoUringProactorTest, WithEverythingDisabledOperationsArePolled) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({.entries = 4, .disabled = OptionalFeatures()});
  Readers readers(200);
  EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
  EXPECT_EQ(readers.succeeded, 200);
  EXPECT_GE(scheduler->counters().submissions.value(), 200);
  Readers starved(200);
  EXPECT_THAT(scheduler->Run(starved.ReadAll(absl::Milliseconds(20))), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(starved.cancelled, 200);
}

// A kernel that has no multishot poll says so once; every ring after that asks for plain ones.
TEST(IoUringProactorTest, AVariantThatIsRefusedIsNotAskedForAgain) {
  FaultyKernel kernel;
  kernel.refuse_multishot_poll = true;
  kernel.Trust();
  for (int round = 0; round < 2; ++round) {
    std::unique_ptr<Scheduler> scheduler = MakeScheduler({}, kernel);
    Readers readers(10);
    EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
    EXPECT_FALSE(scheduler->proactor().capabilities().Has(Feature::kMultishotPoll));
    EXPECT_EQ(kernel.refused_polls, 1);
  }
}

// Counts what is asked of the kernel, from the first call of a process on.
class CountedKernel final : public RingKernel {
 public:
  int Setup(unsigned entries, io_uring_params* params) override {
    ++setups;
    return real_.Setup(entries, params);
  }
  int Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) override {
    ++enters;
    return real_.Enter(fd, submit, wait_for, flags, argument, size);
  }
  int Register(int fd, unsigned opcode, void* argument, unsigned count) override {
    ++registrations;
    return real_.Register(fd, opcode, argument, count);
  }
  void* Map(int fd, size_t size, off_t offset) override {
    ++mappings;
    return real_.Map(fd, size, offset);
  }
  void Unmap(void* address, size_t size) override {
    ++mappings;
    real_.Unmap(address, size);
  }
  void Close(int fd) override {
    ++closes;
    real_.Close(fd);
  }
  int Total() const { return setups + enters + registrations + mappings + closes; }

  int setups = 0;
  int enters = 0;
  int registrations = 0;
  int mappings = 0;
  int closes = 0;

 private:
  RingKernel& real_ = RingKernel::Real();
};

// The time is some tenths of a millisecond; this is what it is made of, besides making two sockets and closing them.
// Each feature that setup refuses costs a call more, once in a process.
TEST(IoUringProactorTest, TheCallsUntilTheFirstCompletionAreCounted) {
  CountedKernel kernel;
  auto body = []() -> Task<absl::Status> {
    File file = co_await Try(File::Open("/dev/null"));
    co_return co_await file.Close();
  };
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({}, kernel);
  int refused = kernel.lacks().size();
  EXPECT_EQ(kernel.setups, refused + 2) << "the ring and the small one before it";
  EXPECT_EQ(kernel.enters, 2) << "whether it is allowed, and all requests through the small ring";
  EXPECT_EQ(kernel.registrations, 1) << "the probe";
  EXPECT_EQ(kernel.mappings, 4 + 2) << "two for each ring, and the small one's are undone";
  EXPECT_EQ(kernel.closes, 1);
  int before = kernel.Total();
  EXPECT_THAT(scheduler->Run(body()), IsOk());
  EXPECT_LE(kernel.registrations, 1 + 3) << "workers, enabling, and the ring's own number";
  EXPECT_LE(kernel.Total() - before, 3 + 2) << "one enter brings the first completion, and one the close's";
  before = kernel.Total();
  MakeScheduler({}, kernel);
  EXPECT_EQ(kernel.Total() - before, 1 + 2 + 1 + 1 + 3) << "the next ring is trusted, and is gone again";
}

// Invariant 6: one enter per turn at most, and none in a turn that has ready work and nothing to submit.
TEST(IoUringProactorTest, ATurnEntersTheKernelOnceAtMost) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler();
  Readers readers(100);
  EXPECT_THAT(scheduler->Run(readers.ReadAll(absl::InfiniteDuration())), IsOk());
  const Counters& counters = scheduler->counters();
  EXPECT_EQ(counters.flushes.value(), 0);
  EXPECT_LE(counters.enters.value(), counters.turns.value());
}

TEST(IoUringProactorTest, ATurnWithReadyWorkAndNothingToSubmitDoesNotEnterTheKernel) {
  std::unique_ptr<Scheduler> scheduler = MakeScheduler();
  int64_t before = 0;
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(Sleep(absl::Milliseconds(1)));
    before = scheduler->counters().enters.value();
    for (int i = 0; i < 10'000; ++i) co_await Try(Sleep(absl::ZeroDuration()));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler->Run(body()), IsOk());
  EXPECT_EQ(scheduler->counters().enters.value(), before);
  EXPECT_GT(scheduler->counters().turns.value(), 10'000 / 256);
}

class RingSetupTest : public ::testing::TestWithParam<unsigned> {};

// The ladder: what a kernel refuses is left out, and everything still works.
TEST_P(RingSetupTest, WorksWithoutTheFlagsThatTheKernelRefuses) {
  FaultyKernel kernel;
  kernel.refused_flags = GetParam();
  kernel.refuse_registered_ring = GetParam() != 0;
  std::unique_ptr<Scheduler> scheduler = MakeScheduler({}, kernel);
  Readers fed(50);
  EXPECT_THAT(scheduler->Run(fed.ReadAll(absl::InfiniteDuration())), IsOk());
  EXPECT_EQ(fed.succeeded, 50);
  Readers starved(50);
  EXPECT_THAT(scheduler->Run(starved.ReadAll(absl::Milliseconds(10))), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(starved.cancelled, 50);
}

INSTANTIATE_TEST_SUITE_P(EveryRung, RingSetupTest,
                         ::testing::Values(0u, IORING_SETUP_DEFER_TASKRUN,
                                           IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
                                           IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
                                           IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL));

TEST(IoUringProactorTest, TooLittleLockedMemoryShrinksTheRing) {
  FaultyKernel kernel;
  kernel.largest_ring = 64;
  absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create({}, kernel);
  ASSERT_THAT(proactor, IsOk());
  EXPECT_EQ((*proactor)->ring().entries(), 64u);
}

TEST(IoUringProactorTest, NoIoUringAtAllIsAStatusThatNamesTheCall) {
  FaultyKernel kernel;
  kernel.largest_ring = 0;
  EXPECT_THAT(IoUringProactor::Create({}, kernel),
              StatusIs(absl::StatusCode::kResourceExhausted, "io_uring_setup: Cannot allocate memory"));
}

}  // namespace
}  // namespace proactor
