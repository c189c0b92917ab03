// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/offload.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <semaphore>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/backend/epoll_proactor.h"
#include "proactor/descriptor.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/read.h"
#include "proactor/run_blocking.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace {

// Epoll's timers and wakes, with every operation performed by one thread.
class OffloadingProactor final : public Proactor {
 public:
  explicit OffloadingProactor(BlockingPool& pool) : offload(pool) {}
  ~OffloadingProactor() override { offload.Drain(); }
  void Submit(OperationBase& operation) override { offload.Submit(operation); }
  void Cancel(OperationBase& operation) override { offload.Cancel(operation); }
  void Wait(MonotonicTime until) override { epoll_->Wait(until); }
  void Wake() override { epoll_->Wake(); }
  MonotonicTime Now() const override { return epoll_->Now(); }
  absl::Time WallTime() const override { return epoll_->WallTime(); }
  std::string_view name() const override { return "offloading"; }
  System& system() override { return System::Real(); }

  Offload offload;

 private:
  std::unique_ptr<EpollProactor> epoll_ = *EpollProactor::Create();
};

class OffloadTest : public ::testing::Test {
 protected:
  OffloadTest() : scheduler_(std::make_unique<OffloadingProactor>(pool_)) {}

  BlockingPool pool_{{.max_threads = 1}};
  Scheduler scheduler_;
};

TEST_F(OffloadTest, PerformsOnAnotherThreadAndResumesOnItsOwn) {
  std::thread::id inside;
  auto body = [&]() -> Task<absl::Status> {
    auto call = [&] { inside = std::this_thread::get_id(); };
    absl::Status status = co_await RunBlocking(call);
    EXPECT_NE(inside, std::this_thread::get_id());
    co_return status;
  };
  EXPECT_THAT(scheduler_.Run(body()), IsOk());
}

// Invariant 4: what a thread has begun with delays the end of its scope; what none has begun with ends at once.
TEST_F(OffloadTest, CancelEndsWhatHasNotBegunAndWaitsForWhatHas) {
  std::binary_semaphore begun(0), finish(0);
  bool ran_second = false;
  absl::Status first_status = absl::UnknownError("none"), second_status = absl::UnknownError("none");
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto first = [&]() -> Task<absl::Status> {
      auto call = [&] {
        begun.release();
        finish.acquire();
      };
      first_status = co_await RunBlocking(call);
      co_return absl::OkStatus();
    };
    auto second = [&]() -> Task<absl::Status> {
      auto call = [&] { ran_second = true; };
      second_status = co_await RunBlocking(call);
      finish.release();
      co_return absl::OkStatus();
    };
    group.Spawn(first());
    co_await Try(Sleep(absl::ZeroDuration()));
    begun.acquire();
    group.Spawn(second());
    co_await Try(Sleep(absl::ZeroDuration()));
    group.Cancel();
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(first_status, IsOk());
  EXPECT_THAT(second_status, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_FALSE(ran_second);
}

// That somebody else was faster is for nobody to hear. It can be cancelled, as what waits can.
TEST_F(OffloadTest, WhatAThreadFindsNotReadyIsAskedForAgain) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  char byte = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    OwnedDescriptor reader(System::Real(), ends[0], DescriptorKind::kPipe);
    OwnedDescriptor writer(System::Real(), ends[1], DescriptorKind::kPipe);
    ReadOp read;
    read.descriptor = reader.get();
    read.buffer = {&byte, 1};
    absl::StatusOr<size_t> late = co_await WithTimeout(absl::Milliseconds(5), MakeOperation(read));
    EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded));
    auto write_later = [&]() -> Task<absl::Status> {
      co_await Try(Sleep(absl::Milliseconds(5)));
      EXPECT_EQ(write(writer->number, "x", 1), 1);
      co_return absl::OkStatus();
    };
    group.Spawn(write_later());
    absl::StatusOr<size_t> n = co_await MakeOperation(read);
    EXPECT_THAT(n, IsOkAndHolds(1u));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(byte, 'x');
}

TEST_F(OffloadTest, ManyAtOnceAllComeBack) {
  int sum = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 1000; ++i) {
      auto one = [](int number, int* sum) -> Task<absl::Status> {
        auto call = [&] { return number; };
        *sum += co_await Try(RunBlocking(call));
        co_return absl::OkStatus();
      };
      group.Spawn(one(i, &sum));
    }
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(scheduler_.Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(sum, 999 * 1000 / 2);
}

// The thread that sends the last result is still on its way out when the scheduler ends.
TEST_F(OffloadTest, ASchedulerMayEndAsSoonAsItsTasksHave) {
  for (int i = 0; i < 500; ++i) {
    Scheduler scheduler(std::make_unique<OffloadingProactor>(pool_));
    auto body = []() -> Task<absl::Status> {
      auto nothing = [] {};
      co_return co_await RunBlocking(nothing);
    };
    EXPECT_THAT(scheduler.Run(body()), IsOk());
  }
}

}  // namespace
}  // namespace proactor
