// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/send_all.h"

#include <fcntl.h>
#include <liburing.h>
#include <signal.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class SendAllTest : public OperationTest {};

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

// Not all kernels go on by themselves after a short send (5.19), and none beyond kLargestTransfer.
TEST(SendAllOpTest, AShortSendIsContinuedWhereItStopped) {
  OwnedDescriptor socket(System::Real(), -1, DescriptorKind::kSocket);
  std::string_view bytes = "0123456789";
  SendAllOp op = {.descriptor = socket.get(), .bytes = bytes};
  int result = 4;
  EXPECT_FALSE(op.Advance(result));
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.opcode, IORING_OP_SEND);
  // Some kernels add the second by themselves.
  EXPECT_EQ(entry.msg_flags, static_cast<unsigned>(MSG_WAITALL | MSG_NOSIGNAL));
  EXPECT_EQ(entry.addr, reinterpret_cast<uintptr_t>(bytes.data() + 4));
  EXPECT_EQ(entry.len, 6u);
  result = 6;
  EXPECT_TRUE(op.Advance(result));
  EXPECT_EQ(result, 6);
}

TEST(SendAllOpTest, NoMoreThanTheKernelTransfersIsAskedForAtOnce) {
  OwnedDescriptor socket(System::Real(), -1, DescriptorKind::kSocket);
  // The bytes are not touched.
  SendAllOp op = {.descriptor = socket.get(), .bytes = {"", size_t{5} << 30}};
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.len, kLargestTransfer);
}

TEST(SendAllOpTest, AFailureSaysHowFarItGot) {
  OwnedDescriptor socket(System::Real(), -1, DescriptorKind::kSocket);
  SendAllOp op = {.descriptor = socket.get(), .bytes = "0123456789"};
  int result = 4;
  EXPECT_FALSE(op.Advance(result));
  result = -ECONNRESET;
  EXPECT_TRUE(op.Advance(result));
  EXPECT_EQ(BytesTransferred(op.ToStatus(ErrnoToStatus(-result, "send"))), 4u);
}

TEST_P(SendAllTest, SmallBuffersAreFilledAsOftenAsItTakes) {
  for (int flags : {0, O_NONBLOCK}) {
    Connection connection = MakeConnection(system());
    int size = 4608;
    ASSERT_EQ(system().SetSocketOption(connection.client->number, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    if (!simulated()) {
      ASSERT_EQ(fcntl(connection.client->number, F_SETFL, flags), 0);
    }
    std::string sent = Pattern(300'000);
    std::string received;
    auto drain = [&]() -> Task<absl::Status> {
      char buffer[777];
      while (received.size() < sent.size()) {
        int n = system().Receive(connection.server->number, buffer, sizeof(buffer));
        if (n > 0) {
          received.append(buffer, static_cast<size_t>(n));
        } else {
          EXPECT_TRUE(n == -EAGAIN || n == -EINTR) << n;
          co_await Try(Sleep(absl::Microseconds(10)));
        }
      }
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(drain());
      co_return co_await MakeOperation(SendAllOp{.descriptor = connection.client.get(), .bytes = sent});
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    EXPECT_TRUE(received == sent);
  }
}

TEST_P(SendAllTest, AResetInTheMiddleSaysHowMuchWasTaken) {
  Connection connection = MakeConnection(system());
  std::string sent = Pattern(30'000'000);
  absl::Status status = AwaitWhile(SendAllOp{.descriptor = connection.client.get(), .bytes = sent},
                                   [&] { connection.server = OwnedDescriptor(); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  ASSERT_TRUE(BytesTransferred(status).has_value());
  EXPECT_GT(*BytesTransferred(status), 0u);
  EXPECT_LT(*BytesTransferred(status), sent.size());
}

TEST_P(SendAllTest, SendingAfterTheEndIsAnErrorAndRaisesNoSignal) {
  static volatile sig_atomic_t raised;
  raised = 0;
  struct sigaction action = {}, before;
  action.sa_handler = [](int) { raised = 1; };
  ASSERT_EQ(sigaction(SIGPIPE, &action, &before), 0);
  Connection connection = MakeConnection(system());
  ASSERT_EQ(system().Shutdown(connection.client->number, SHUT_WR), 0);
  absl::Status status = Await(SendAllOp{.descriptor = connection.client.get(), .bytes = "x"});
  EXPECT_EQ(ErrnoOf(status), EPIPE) << status;
  EXPECT_EQ(BytesTransferred(status), 0u);
  EXPECT_EQ(raised, 0);
  sigaction(SIGPIPE, &before, nullptr);
}

TEST_P(SendAllTest, NothingIsSentWithoutAskingAnyone) {
  OwnedDescriptor socket = MakeSocket(system());
  int64_t before = counters().operations.value();
  EXPECT_THAT(Await(SendAllOp{.descriptor = socket.get(), .bytes = ""}), IsOk());
  EXPECT_EQ(counters().operations.value(), before);
}

TEST_P(SendAllTest, WithoutAConnectionIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(SendAllOp{.descriptor = socket.get(), .bytes = "x"})), EPIPE);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(SendAllOp{.descriptor = pipe.writer.get(), .bytes = "x"})), ENOTSOCK);
}

TEST_P(SendAllTest, ACancelledScopeSendsNothingAndSaysSo) {
  Connection connection = MakeConnection(system());
  absl::Status status = AwaitInCancelledScope(SendAllOp{.descriptor = connection.client.get(), .bytes = "x"});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(BytesTransferred(status), 0u);
  char buffer[1];
  int result;
  while ((result = system().Receive(connection.server->number, buffer, 1)) == -EINTR) {
  }
  EXPECT_EQ(result, -EAGAIN);
}

INSTANTIATE_ON_EVERY_BACKEND(SendAllTest);

}  // namespace
}  // namespace proactor
