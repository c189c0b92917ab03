// SPDX-License-Identifier: Apache-2.0

// The protocol between who keeps the results of a multishot request and the proactor that arms it.
#include "proactor/multishot.h"

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/descriptor.h"
#include "proactor/operation/operation.h"
#include "proactor/sleep.h"
#include "proactor/system.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

// Accepts, and lets the test say whether it is wanted.
struct Accepts final : Multishot {
  explicit Accepts(Descriptor& descriptor) : Multishot(descriptor) {}
  ~Accepts() override {
    while (taken > 0) descriptor().system.Close(results[--taken]);
  }
  Feature feature() const override { return Feature::kMultishotAccept; }
  void Prepare(io_uring_sqe& entry) override {
    ++arms;
    io_uring_prep_multishot_accept(&entry, descriptor().number, nullptr, nullptr, SOCK_CLOEXEC);
  }
  bool Take(int result, int, bool ended) override {
    if (result >= 0) results[taken++] = result;
    if (ended) ++ends;
    return wanted();
  }
  bool wanted() const override { return is_wanted; }
  bool HasResult() const override { return taken > 0; }
  bool HasUnreadBytes() const override { return false; }
  int Copy(char*, size_t) override { return 0; }

  bool is_wanted = true;
  int arms = 0;
  int ends = 0;
  int taken = 0;
  int results[10];
};

struct WaitOp {
  static constexpr char kName[] = "wait";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = int;
  Descriptor* descriptor;
  bool HasResult(Loop& loop) const {
    descriptor->multishot->home = &loop;
    return false;
  }
  void Prepare(io_uring_sqe& entry) const {
    entry.opcode = IORING_OP_NOP;  // Where there is no waiting for it.
    entry.user_data = reinterpret_cast<uintptr_t>(descriptor->multishot);
  }
  int Perform(System&) const { return 0; }
  bool Advance(int& result) const {
    if (result == -EINTR && accepts().taken > 0) result = accepts().taken;
    return true;
  }
  int ToValue(int result) const { return result; }
  Accepts& accepts() const { return static_cast<Accepts&>(*descriptor->multishot); }
};

// On the rings that have what it takes.
class MultishotTest : public BackendTest {
 protected:
  bool Lacks() { return !scheduler().proactor().capabilities().Has(Feature::kMultishotAccept); }

  OwnedDescriptor Listen() {
    OwnedDescriptor listener(system(), system().Socket(AF_INET, SOCK_STREAM, 0), DescriptorKind::kSocket);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(system().Bind(listener->number, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(system().Listen(listener->number, 10), 0);
    listener->multishot = new Accepts(*listener.get());
    return listener;
  }
  static Accepts& Of(const OwnedDescriptor& listener) { return static_cast<Accepts&>(*listener->multishot); }

  OwnedDescriptor Connect(const OwnedDescriptor& listener) {
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    system().SocketName(listener->number, reinterpret_cast<sockaddr*>(&address), &size);
    OwnedDescriptor client(system(), system().Socket(AF_INET, SOCK_STREAM, 0), DescriptorKind::kSocket);
    int result = -EINPROGRESS;
    for (int i = 0; i < 100 && (result == -EINPROGRESS || result == -EALREADY || result == -EINTR); ++i) {
      result = system().Connect(client->number, reinterpret_cast<sockaddr*>(&address), size);
    }
    EXPECT_EQ(result, 0);
    return client;
  }
};

TEST_P(MultishotTest, StaysArmedFromOneOperationToTheNext) {
  if (Lacks()) GTEST_SKIP() << "multishot_accept";
  OwnedDescriptor listener = Listen();
  Accepts& accepts = Of(listener);
  auto body = [&]() -> Task<absl::Status> {
    for (int i = 1; i <= 3; ++i) {
      OwnedDescriptor client = Connect(listener);
      while (accepts.taken < i) co_await Try(MakeOperation(WaitOp{listener.get()}));
    }
    co_return absl::OkStatus();
  };
  // An operation sees what there is, even of before.
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(accepts.taken, 3);
  // A kernel may end it for no reason; each time it is armed once more.
  EXPECT_EQ(accepts.arms, accepts.ends + 1);
  EXPECT_TRUE(accepts.armed());
}

TEST_P(MultishotTest, WhatIsNotWantedIsCancelledAndWhatIsWantedAgainIsArmed) {
  if (Lacks()) GTEST_SKIP() << "multishot_accept";
  OwnedDescriptor listener = Listen();
  Accepts& accepts = Of(listener);
  auto body = [&]() -> Task<absl::Status> {
    OwnedDescriptor first = Connect(listener);
    co_await Try(MakeOperation(WaitOp{listener.get()}));
    accepts.is_wanted = false;
    scheduler().proactor().Adjust(accepts);
    while (accepts.armed()) co_await Try(Sleep(absl::Milliseconds(1)));
    OwnedDescriptor second = Connect(listener);
    co_await Try(Sleep(absl::Milliseconds(1)));
    EXPECT_EQ(accepts.taken, 1) << "the second one waits in the kernel's queue";
    accepts.is_wanted = true;
    scheduler().proactor().Adjust(accepts);
    while (accepts.taken < 2) co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
}

TEST_P(MultishotTest, AnOperationIsCancelledWithoutTheRequest) {
  if (Lacks()) GTEST_SKIP() << "multishot_accept";
  OwnedDescriptor listener = Listen();
  Accepts& accepts = Of(listener);
  auto body = [&]() -> Task<absl::Status> {
    absl::StatusOr<int> none = co_await WithTimeout(absl::Milliseconds(1), MakeOperation(WaitOp{listener.get()}));
    EXPECT_THAT(none, StatusIs(absl::StatusCode::kDeadlineExceeded));
    OwnedDescriptor client = Connect(listener);
    while (accepts.taken == 0) co_await Try(Sleep(absl::Milliseconds(1)));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_TRUE(accepts.armed());
}

TEST_P(MultishotTest, OneThatIsNotWantedLetsTheOperationGoItsOwnWay) {
  if (Lacks()) GTEST_SKIP() << "multishot_accept";
  OwnedDescriptor listener = Listen();
  Of(listener).is_wanted = false;
  auto body = [&]() -> Task<absl::StatusOr<int>> { co_return co_await MakeOperation(WaitOp{listener.get()}); };
  EXPECT_THAT(Run(body()), IsOkAndHolds(0)) << "the NOP that it prepared";
  EXPECT_EQ(Of(listener).arms, 0);
}

TEST_P(MultishotTest, AnArmedOneThatIsDroppedIsClosedWhenItHasEnded) {
  if (Lacks()) GTEST_SKIP() << "multishot_accept";
  auto body = [&]() -> Task<absl::Status> {
    OwnedDescriptor listener = Listen();
    OwnedDescriptor client = Connect(listener);
    co_await Try(MakeOperation(WaitOp{listener.get()}));
    EXPECT_TRUE(Of(listener).armed());
    co_return absl::OkStatus();
  };
  // A simulation complains about descriptors that stay open, and a sanitizer about memory.
  EXPECT_THAT(Run(body()), IsOk());
}

INSTANTIATE_ON_BACKENDS(MultishotTest, ::testing::Values(Backend::kIoUring, Backend::kFakeIoUring));

}  // namespace
}  // namespace proactor
