// SPDX-License-Identifier: Apache-2.0
//
// Cancelling thousands at once: all end, and each costs the kernel one request at most. That none takes longer because
// there are others is for tests/benchmark to show.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/fs/file.h"
#include "proactor/sleep.h"
#include "proactor/sync/event.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

constexpr int kMany = 10'000;

void RaiseDescriptorLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// What so many tasks wait for, in vain.
class Waits {
 public:
  virtual ~Waits() = default;
  virtual Task<absl::Status> Prepare(int count) = 0;
  virtual Task<absl::Status> Wait(int number) = 0;
};

class Sleepers final : public Waits {
 public:
  Task<absl::Status> Prepare(int) override { co_return absl::OkStatus(); }
  Task<absl::Status> Wait(int number) override { co_return co_await Sleep(absl::Hours(1 + number % 7)); }
};

class EventWaiters final : public Waits {
 public:
  Task<absl::Status> Prepare(int) override { co_return absl::OkStatus(); }
  Task<absl::Status> Wait(int) override { co_return co_await event_.Wait(); }

 private:
  Event event_;
};

// Each reads from a pipe that nobody writes to, through a descriptor of its own.
class Readers final : public Waits {
 public:
  Readers() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0); }
  ~Readers() override {
    for (int end : ends_) close(end);
  }
  Task<absl::Status> Prepare(int count) override {
    while (static_cast<int>(files_.size()) < count) {
      int descriptor = fcntl(ends_[0], F_DUPFD_CLOEXEC, 0);
      files_.push_back(co_await Try(File::Adopt(descriptor)));
    }
    co_return absl::OkStatus();
  }
  Task<absl::Status> Wait(int number) override {
    char byte;
    absl::StatusOr<size_t> n = co_await files_[static_cast<size_t>(number)].Read({&byte, 1});
    co_return n.status();
  }

 private:
  int ends_[2] = {-1, -1};
  std::vector<File> files_;
};

// Cancels so many at once; `before` and `after` are called around that.
template <class Before, class After>
Task<absl::Status> CancelMany(Waits& waits, int count, int& cancelled, Before before, After after) {
  co_await Try(waits.Prepare(count));
  int started = 0;
  auto waiter = [&](int number) -> Task<absl::Status> {
    ++started;
    absl::Status status = co_await waits.Wait(number);
    cancelled += absl::IsCancelled(status);
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < count; ++i) group.Spawn(waiter(i));
    while (started < count) co_await Try(Sleep(absl::ZeroDuration()));
    co_await Try(Sleep(absl::Milliseconds(1)));  // What they ask the kernel for has been submitted by then.
    before();
    group.Cancel();
    co_await group.Join();
    after();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

class MassCancelTest : public BackendTest {};

TEST_P(MassCancelTest, TenTimesTheSubmissionQueueOfReadsWithOneDeadlineAllEnd) {
  RaiseDescriptorLimit();
  constexpr int kReads = 10 * 256;  // RingOptions::entries
  Readers readers;
  int cancelled = 0;
  auto reader = [&](int number) -> Task<absl::Status> {
    absl::Status status = co_await readers.Wait(number);
    cancelled += absl::IsCancelled(status);
    co_return status;
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kReads; ++i) group.Spawn(reader(i));
    co_return absl::OkStatus();
  };
  auto all = [&]() -> Task<absl::Status> {
    co_await Try(readers.Prepare(kReads));
    co_return co_await WithTimeout(absl::Milliseconds(20), WithTaskGroup(body));
  };
  EXPECT_THAT(Run(all()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(cancelled, kReads);
}

TEST_P(MassCancelTest, TenThousandReadsTakeOneRequestEachAtMost) {
  RaiseDescriptorLimit();
  Readers readers;
  int cancelled = 0;
  int64_t submissions = 0;
  int64_t cancels = 0;
  int64_t overflows = 0;
  auto before = [&] {
    submissions = -counters().submissions.value();
    cancels = -counters().cancels.value();
    overflows = -counters().overflows.value();
  };
  auto after = [&] {
    submissions += counters().submissions.value();
    cancels += counters().cancels.value();
    overflows += counters().overflows.value();
  };
  EXPECT_THAT(Run(CancelMany(readers, kMany, cancelled, before, after)), IsOk());
  EXPECT_EQ(cancelled, kMany);
  EXPECT_LE(cancels, kMany);
  EXPECT_LE(submissions, GetParam() == Backend::kIoUring ? kMany : 0);
  EXPECT_EQ(overflows, 0) << "a queue of requests at a time, and what they end is taken before the next";
}

// Cancelling makes all of them ready there and then: the loop then has nothing to do but to resume them, and to take
// leave of their tasks.
TEST_P(MassCancelTest, TenThousandWaitersInUserSpaceAreReadyAtOnce) {
  Sleepers sleepers;
  EventWaiters event_waiters;
  for (Waits* waits : {static_cast<Waits*>(&sleepers), static_cast<Waits*>(&event_waiters)}) {
    int cancelled = 0;
    int64_t turns = 0;
    auto before = [&] { turns = -counters().turns.value(); };
    auto after = [&] { turns += counters().turns.value(); };
    EXPECT_THAT(Run(CancelMany(*waits, kMany, cancelled, before, after)), IsOk());
    EXPECT_EQ(cancelled, kMany);
    constexpr int64_t kResumesPerTurn = 256;
    EXPECT_LE(turns, 2 * kMany / kResumesPerTurn + 2);
  }
}

INSTANTIATE_ON_REAL_BACKENDS(MassCancelTest);

}  // namespace
}  // namespace proactor
