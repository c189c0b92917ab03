// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/send_all_list.h"

#include <liburing.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

// Pieces of many sizes, the empty one included, more of them than the kernel takes at once (IOV_MAX).
struct Pieces {
  Pieces() {
    for (size_t i = 0; i < 3000; ++i) contents.emplace_back(i * i % 199, static_cast<char>('a' + i % 23));
    for (const std::string& piece : contents) {
      list.push_back(piece);
      whole += piece;
    }
  }
  std::vector<std::string> contents;
  std::vector<std::string_view> list;
  std::string whole;
};

SendAllListOp Send(const OwnedDescriptor& socket, std::span<const std::string_view> list) {
  return {.descriptor = socket.get(), .list = ListTransfer(list)};
}

class SendAllListTest : public OperationTest {
 protected:
  // Sends while somebody reads slowly. Yields what was read.
  std::string Exchange(const Connection& connection, std::span<const std::string_view> list, size_t size) {
    std::string received;
    auto drain = [&]() -> Task<absl::Status> {
      char buffer[777];
      while (received.size() < size) {
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
      co_return co_await MakeOperation(Send(connection.client, list));
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    return received;
  }
};

TEST(SendAllListOpTest, AShortSendIsContinuedWhereItStopped) {
  OwnedDescriptor socket(System::Real(), -1, DescriptorKind::kSocket);
  std::string_view list[] = {"0123", "", "456789"};
  SendAllListOp op = Send(socket, list);
  int result = 5;
  EXPECT_FALSE(op.Advance(result));
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.opcode, IORING_OP_SENDMSG);
  EXPECT_EQ(entry.msg_flags, static_cast<unsigned>(MSG_WAITALL | MSG_NOSIGNAL));
  const msghdr& message = *reinterpret_cast<const msghdr*>(entry.addr);
  ASSERT_EQ(message.msg_iovlen, 1u);
  EXPECT_EQ(message.msg_iov[0].iov_base, list[2].data() + 1);
  EXPECT_EQ(message.msg_iov[0].iov_len, 5u);
  result = -ECONNRESET;
  EXPECT_TRUE(op.Advance(result));
  EXPECT_EQ(BytesTransferred(op.ToStatus(ErrnoToStatus(-result, "sendmsg"))), 5u);
}

// So that a packet need not end where a message does.
TEST(SendAllListOpTest, AllMessagesButTheLastSayThatMoreFollows) {
  OwnedDescriptor socket(System::Real(), -1, DescriptorKind::kSocket);
  std::vector<std::string_view> list(17, "x");
  SendAllListOp op = Send(socket, list);
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.msg_flags, static_cast<unsigned>(MSG_WAITALL | MSG_NOSIGNAL | MSG_MORE));
  int result = 16;
  EXPECT_FALSE(op.Advance(result));
  op.Prepare(entry);
  EXPECT_EQ(entry.msg_flags, static_cast<unsigned>(MSG_WAITALL | MSG_NOSIGNAL));
}

TEST_P(SendAllListTest, ALongListArrivesWholeAndInOrder) {
  Connection connection = MakeConnection(system());
  Pieces pieces;
  EXPECT_TRUE(Exchange(connection, pieces.list, pieces.whole.size()) == pieces.whole);
}

TEST_P(SendAllListTest, SmallBuffersAreFilledAsOftenAsItTakes) {
  Connection connection = MakeConnection(system());
  int size = 4608;
  ASSERT_EQ(system().SetSocketOption(connection.client->number, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
  Pieces pieces;
  std::string_view large[] = {pieces.whole, "", pieces.whole, "end"};
  std::string expected = pieces.whole + pieces.whole + "end";
  EXPECT_TRUE(Exchange(connection, large, expected.size()) == expected);
}

TEST_P(SendAllListTest, AResetInTheMiddleSaysHowMuchWasTaken) {
  Connection connection = MakeConnection(system());
  std::string large(5'000'000, 'x');
  std::vector<std::string_view> list(6, large);
  absl::Status status = AwaitWhile(Send(connection.client, list), [&] { connection.server = OwnedDescriptor(); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  ASSERT_TRUE(BytesTransferred(status).has_value());
  EXPECT_GT(*BytesTransferred(status), 0u);
  EXPECT_LT(*BytesTransferred(status), 6 * large.size());
}

TEST_P(SendAllListTest, ACancelledOneSaysHowFarItGot) {
  Connection connection = MakeConnection(system());
  std::string large(5'000'000, 'x');
  std::vector<std::string_view> list(6, large);
  absl::Status status = AwaitWithTimeout(absl::Milliseconds(50), Send(connection.client, list));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded));
  connection.client = OwnedDescriptor();
  size_t received = 0;
  std::string buffer(1 << 20, '\0');
  while (int n = system().Receive(connection.server->number, buffer.data(), buffer.size())) {
    if (n > 0) received += static_cast<size_t>(n);
    ASSERT_TRUE(n > 0 || n == -EINTR || n == -EAGAIN) << n;
  }
  EXPECT_EQ(BytesTransferred(status), received);
}

TEST_P(SendAllListTest, NothingIsSentWithoutAskingAnyone) {
  OwnedDescriptor socket = MakeSocket(system());
  int64_t before = counters().operations.value();
  std::string_view empty[] = {"", ""};
  EXPECT_THAT(Await(Send(socket, empty)), IsOk());
  EXPECT_THAT(Await(Send(socket, {})), IsOk());
  EXPECT_EQ(counters().operations.value(), before);
}

TEST_P(SendAllListTest, WithoutAConnectionIsAnErrorAndRaisesNoSignal) {
  std::string_view list[] = {"x", "y"};
  OwnedDescriptor socket = MakeSocket(system());
  absl::Status status = Await(Send(socket, list));
  EXPECT_EQ(ErrnoOf(status), EPIPE);
  EXPECT_EQ(BytesTransferred(status), 0u);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(Send(pipe.writer, list))), ENOTSOCK);
}

// For epoll, which then waits instead of trying.
TEST(SendAllListOpTest, AShortSendMeansThatThereIsNoRoomForNow) {
  Connection connection = MakeConnection(System::Real());
  std::string_view small[] = {"x", "y"};
  EXPECT_EQ(Send(connection.client, small).Perform(System::NonBlocking()), 2);
  EXPECT_EQ(connection.client->writable, ReadyState::kYes);
  std::string large(50'000'000, 'x');
  std::string_view list[] = {"x", large};
  EXPECT_GT(Send(connection.client, list).Perform(System::NonBlocking()), 0);
  EXPECT_EQ(connection.client->writable, ReadyState::kNo);

  // A thread that may block is another than the one that takes the reports.
  Connection other = MakeConnection(System::Real());
  EXPECT_GT(Send(other.client, list).Perform(System::Real()), 0);
  EXPECT_EQ(other.client->writable, ReadyState::kYes);
}

// Invariant 12.
TEST(SendAllListOpTest, InterruptionsLoseAndRepeatNothing) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SimulatedWorld world({.seed = seed});
    Connection connection = MakeConnection(world.system());
    world.system().FailNext(SimulatedCall::kSend, EINTR, 3);
    std::string_view list[] = {"one", "", "two", "three"};
    auto body = [&]() -> Task<absl::Status> { co_return co_await MakeOperation(Send(connection.client, list)); };
    EXPECT_THAT(world.Run(body()), IsOk());
    std::string received;
    char buffer[16];
    while (received.size() < 11) {
      int n = world.system().Receive(connection.server->number, buffer, sizeof(buffer));
      if (n > 0) received.append(buffer, static_cast<size_t>(n));
      ASSERT_TRUE(n > 0 || n == -EINTR) << n;
    }
    EXPECT_EQ(received, "onetwothree");
  }
}

INSTANTIATE_ON_EVERY_BACKEND(SendAllListTest);

}  // namespace
}  // namespace proactor
