// SPDX-License-Identifier: Apache-2.0
#include "proactor/remote_message.h"

#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

struct Noted final : RemoteMessage {
  void Receive() override {
    thread = std::this_thread::get_id();
    ++received;
    notes->push_back(number);
  }
  int number = 0;
  int received = 0;
  std::vector<int>* notes = nullptr;
  std::thread::id thread;
};

// Invariant 7, for what the library itself sends.
TEST(RemoteMessageTest, AThreadWakesTheLoopAndIsHeardInOrderOnTheLoopsThread) {
  Bench bench(Backend::kIoUring);
  std::vector<int> notes;
  Noted messages[3];
  auto body = [&]() -> Task<absl::Status> {
    Loop& loop = *(co_await CurrentContext()).loop;
    std::thread sender([&] {
      for (int i = 0; i < 3; ++i) {
        messages[i].number = i;
        messages[i].notes = &notes;
        Send(loop, messages[i]);
      }
    });
    while (notes.size() < 3) co_await Try(Sleep(absl::Milliseconds(1)));
    sender.join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench.Run(body()), IsOk());
  EXPECT_EQ(notes, (std::vector<int>{0, 1, 2}));
  for (const Noted& message : messages) {
    EXPECT_EQ(message.received, 1);
    EXPECT_EQ(message.thread, std::this_thread::get_id());
  }
  EXPECT_EQ(bench.counters().wakes_sent.value() + bench.counters().wakes_elided.value(), 3);
}

TEST(RemoteMessageTest, MayBeSentAgainOnceItHasBeenReceived) {
  Bench bench(Backend::kSimulated);
  std::vector<int> notes;
  Noted message;
  message.notes = &notes;
  auto body = [&]() -> Task<absl::Status> {
    Loop& loop = *(co_await CurrentContext()).loop;
    for (int i = 0; i < 3; ++i) {
      message.number = i;
      Send(loop, message);
      co_await Try(Sleep(absl::Milliseconds(1)));
      EXPECT_EQ(message.received, i + 1);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench.Run(body()), IsOk());
  EXPECT_EQ(notes, (std::vector<int>{0, 1, 2}));
}

struct Undelivered final : RemoteMessage {
  void Receive() override { ++received; }
  void Discard() override {
    ++discarded;
    if (next != nullptr) Send(*loop, *next);
  }
  int received = 0;
  int discarded = 0;
  Loop* loop = nullptr;
  Undelivered* next = nullptr;
};

TEST(RemoteMessageTest, OnesThatTheLoopDoesNotLiveToReceiveAreDiscarded) {
  for (Backend backend : {Backend::kIoUring, Backend::kEpoll, Backend::kSimulated}) {
    Undelivered early, late, from_a_destructor;
    {
      Bench bench(backend);
      auto body = [&]() -> Task<absl::Status> {
        early.loop = late.loop = (co_await CurrentContext()).loop;
        Send(*early.loop, early);
        co_return co_await Sleep(absl::Milliseconds(1));
      };
      EXPECT_THAT(bench.Run(body()), IsOk());
      late.next = &from_a_destructor;
      Send(*late.loop, late);
    }
    EXPECT_EQ(early.received, 1);
    EXPECT_EQ(early.discarded, 0);
    for (const Undelivered* message : {&late, &from_a_destructor}) {
      EXPECT_EQ(message->received, 0);
      EXPECT_EQ(message->discarded, 1);
    }
  }
}

}  // namespace
}  // namespace proactor
