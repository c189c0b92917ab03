// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/recv_list.h"

#include <cerrno>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class RecvListTest : public OperationTest {
 protected:
  RecvListOp Into(const OwnedDescriptor& socket, std::span<const std::span<char>> buffers) {
    return {.descriptor = socket.get(), .list = ListTransfer(buffers)};
  }

  char first_[4];
  char second_[8];
  std::span<char> buffers_[3] = {first_, {}, second_};
};

TEST_P(RecvListTest, FillsOneBufferAfterTheOther) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "0123456789");
  std::string received;
  while (received.size() < 10) {
    absl::StatusOr<size_t> n = Await(Into(connection.server, buffers_));
    ASSERT_THAT(n, IsOk());
    ASSERT_GT(*n, 0u);
    // The bytes are in the first as far as it goes, and then in the last.
    received.append(first_, std::min<size_t>(*n, 4));
    if (*n > 4) received.append(second_, *n - 4);
  }
  EXPECT_EQ(received, "0123456789");
}

TEST_P(RecvListTest, WaitsForTheFirstByteOnly) {
  Connection connection = MakeConnection(system());
  absl::StatusOr<size_t> n = AwaitWhile(Into(connection.server, buffers_), [&] { WriteNow(connection.client, "x"); });
  EXPECT_THAT(n, IsOkAndHolds(1u));
  EXPECT_EQ(first_[0], 'x');
}

TEST_P(RecvListTest, MoreBuffersThanAMessageTakesAreFilledAsFarAsItTakes) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, std::string(2000, 'x'));
  std::string contents(2000, '.');
  std::vector<std::span<char>> buffers;
  for (char& byte : contents) buffers.emplace_back(&byte, 1);
  absl::StatusOr<size_t> n = Await(Into(connection.server, buffers));
  ASSERT_THAT(n, IsOk());
  EXPECT_GT(*n, 0u);
  EXPECT_LE(*n, ListTransfer<std::span<char>>::kMostParts);
  EXPECT_EQ(contents, std::string(*n, 'x') + std::string(2000 - *n, '.'));
}

TEST_P(RecvListTest, NoRoomAtAllIsRefusedWithoutAskingAnyone) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "x");
  int64_t before = counters().operations.value();
  std::span<char> empty[2] = {};
  EXPECT_THAT(Await(Into(connection.server, empty)),
              StatusIs(absl::StatusCode::kInvalidArgument, "recvmsg: Invalid argument"));
  EXPECT_THAT(Await(Into(connection.server, {})), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(counters().operations.value(), before);
  EXPECT_THAT(Await(Into(connection.server, buffers_)), IsOkAndHolds(1u));
}

TEST_P(RecvListTest, TheEndIsZeroBytes) {
  Connection connection = MakeConnection(system());
  connection.client = OwnedDescriptor();
  EXPECT_THAT(Await(Into(connection.server, buffers_)), IsOkAndHolds(0u));
}

TEST_P(RecvListTest, WithoutAConnectionIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(Into(socket, buffers_)).status()), ENOTCONN);
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(Into(pipe.reader, buffers_)).status()), ENOTSOCK);
}

TEST_P(RecvListTest, ACancelledWaitTakesNoBytes) {
  Connection connection = MakeConnection(system());
  EXPECT_THAT(AwaitWithTimeout(absl::Milliseconds(1), Into(connection.server, buffers_)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  WriteNow(connection.client, "x");
  EXPECT_THAT(AwaitInCancelledScope(Into(connection.server, buffers_)),
              StatusIs(absl::StatusCode::kCancelled, "recvmsg: Operation canceled"));
  EXPECT_THAT(Await(Into(connection.server, buffers_)), IsOkAndHolds(1u));
}

// For epoll, which then waits instead of trying.
TEST(RecvListOpTest, RoomThatIsLeftMeansThatThereIsNoMoreForNow) {
  Connection connection = MakeConnection(System::Real());
  WriteNow(connection.client, "01234");
  AwaitDelivery(System::Real(), connection.client->number);
  char first[2], second[2];
  std::span<char> buffers[] = {first, second};
  RecvListOp op = {.descriptor = connection.server.get(), .list = ListTransfer<std::span<char>>(buffers)};
  EXPECT_EQ(op.Perform(System::NonBlocking()), 4);
  EXPECT_EQ(connection.server->readable, ReadyState::kYes);
  EXPECT_EQ(op.Perform(System::NonBlocking()), 1);
  EXPECT_EQ(connection.server->readable, ReadyState::kNo);
}

INSTANTIATE_ON_EVERY_BACKEND(RecvListTest);

}  // namespace
}  // namespace proactor
