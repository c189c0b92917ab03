// SPDX-License-Identifier: Apache-2.0
#include "proactor/remote_close.h"

#include <sys/socket.h>

#include <memory>
#include <thread>

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

// Closes by itself, after a while, if it is asked on the right thread.
struct Watcher final : DescriptorWatcher {
  void Forget(Descriptor& descriptor) override { descriptor.watcher = nullptr; }
  bool TakeOver(Descriptor& descriptor) override {
    asked_on = std::this_thread::get_id();
    taken = &descriptor;
    return takes;
  }
  bool takes = true;
  std::thread::id asked_on;
  Descriptor* taken = nullptr;
};

class RemoteCloseTest : public BackendTest {
 protected:
  Descriptor* Make(DescriptorWatcher& watcher) {
    auto* descriptor = new Descriptor{.system = system(),
                                      .number = system().Socket(AF_INET, SOCK_STREAM, 0),
                                      .kind = DescriptorKind::kSocket};
    descriptor->watcher = &watcher;
    return descriptor;
  }
  Task<absl::Status> CloseFromAnotherThread(Descriptor& descriptor) {
    Loop& loop = *(co_await CurrentContext()).loop;
    std::thread thread([&] { CloseOn(loop, descriptor); });
    thread.join();
    co_return absl::OkStatus();
  }
};

TEST_P(RemoteCloseTest, TheWatcherIsAskedOnTheLoopsThread) {
  Watcher watcher;
  Descriptor* descriptor = Make(watcher);
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(CloseFromAnotherThread(*descriptor));
    while (watcher.taken == nullptr) co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(watcher.asked_on, std::this_thread::get_id());
  EXPECT_EQ(watcher.taken, descriptor);
  descriptor->watcher = nullptr;
  CloseDescriptor(descriptor);
}

TEST_P(RemoteCloseTest, WhatNobodyTakesOverIsClosed) {
  Watcher watcher;
  watcher.takes = false;
  Descriptor* descriptor = Make(watcher);
  int number = descriptor->number;
  auto body = [&]() -> Task<absl::Status> {
    co_await Try(CloseFromAnotherThread(*descriptor));
    while (watcher.taken == nullptr) co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_LT(system().Close(number), 0) << "it is closed already";
}

INSTANTIATE_ON_EVERY_BACKEND(RemoteCloseTest);

// By a thread that did not run it, which its watcher, if asked, would send it away from.
TEST(RemoteCloseEndTest, ALoopThatIsDestroyedElsewhereClosesWhatItWasSent) {
  struct SendsBack final : DescriptorWatcher {
    void Forget(Descriptor& descriptor) override { descriptor.watcher = nullptr; }
    bool TakeOver(Descriptor& descriptor) override {
      ADD_FAILURE() << "asked on " << std::this_thread::get_id();
      CloseDescriptor(&descriptor);
      return true;
    }
  } watcher;
  auto bench = std::make_unique<Bench>(Backend::kEpoll);
  Loop* loop = nullptr;
  std::thread thread([&] {
    auto body = [&]() -> Task<absl::Status> {
      loop = (co_await CurrentContext()).loop;
      co_return absl::OkStatus();
    };
    EXPECT_THAT(bench->Run(body()), IsOk());
  });
  thread.join();
  int number = System::Real().Socket(AF_INET, SOCK_STREAM, 0);
  auto* descriptor = new Descriptor{.system = System::Real(), .number = number, .kind = DescriptorKind::kSocket};
  descriptor->watcher = &watcher;
  CloseOn(*loop, *descriptor);
  bench.reset();
  EXPECT_LT(System::Real().Close(number), 0) << "it is closed already";
}

}  // namespace
}  // namespace proactor
