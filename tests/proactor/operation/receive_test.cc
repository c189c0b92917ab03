// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/receive.h"

#include <cerrno>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class ReceiveTest : public OperationTest {
 protected:
  ReceiveOp Receive(const OwnedDescriptor& descriptor) { return {.descriptor = descriptor.get(), .store = &store_}; }
  ReceiveAllOp ReceiveAll(const OwnedDescriptor& descriptor) { return {Receive(descriptor)}; }

  ReceiveQueue::Store store_ =
      std::make_shared<internal::BufferStore>(BufferPoolOptions{.smallest = 64, .largest = 256});
};

TEST_P(ReceiveTest, TakesWhatHasArrivedInsteadOfWaitingForMore) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "abc");
  std::string received;
  while (received.size() < 3) {
    absl::StatusOr<Buffer> chunk = Await(Receive(connection.server));
    ASSERT_THAT(chunk, IsOk());
    ASSERT_FALSE(chunk->empty());
    received += chunk->view();
  }
  EXPECT_EQ(received, "abc");
}

TEST_P(ReceiveTest, WaitsForSomething) {
  Connection connection = MakeConnection(system());
  absl::StatusOr<Buffer> chunk = AwaitWhile(Receive(connection.server), [&] { WriteNow(connection.client, "x"); });
  ASSERT_THAT(chunk, IsOk());
  EXPECT_EQ(chunk->view(), "x");
}

TEST_P(ReceiveTest, AllIsInOrder) {
  Connection connection = MakeConnection(system());
  std::string sent;
  for (int i = 0; i < 100; ++i) sent += "bytes " + std::to_string(i);
  WriteNow(connection.client, sent);
  std::string received;
  while (received.size() < sent.size()) {
    absl::StatusOr<Buffers> chunks = Await(ReceiveAll(connection.server));
    ASSERT_THAT(chunks, IsOk());
    ASSERT_FALSE(chunks->empty());
    for (std::string_view bytes : *chunks) received += bytes;
  }
  EXPECT_EQ(received, sent);
}

TEST_P(ReceiveTest, TheEndComesAfterTheBytesAndStays) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "x");
  connection.client = OwnedDescriptor();
  absl::StatusOr<Buffer> chunk = Await(Receive(connection.server));
  ASSERT_THAT(chunk, IsOk());
  EXPECT_EQ(chunk->view(), "x");
  for (int i = 0; i < 2; ++i) {
    chunk = Await(Receive(connection.server));
    ASSERT_THAT(chunk, IsOk());
    EXPECT_TRUE(chunk->empty());
    absl::StatusOr<Buffers> chunks = Await(ReceiveAll(connection.server));
    ASSERT_THAT(chunks, IsOk());
    EXPECT_TRUE(chunks->empty());
  }
}

TEST_P(ReceiveTest, WithoutAConnectionIsAnError) {
  OwnedDescriptor socket = MakeSocket(system());
  EXPECT_EQ(ErrnoOf(Await(Receive(socket)).status()), ENOTCONN);
}

TEST_P(ReceiveTest, ACancelledScopeTakesNoBytes) {
  Connection connection = MakeConnection(system());
  WriteNow(connection.client, "x");
  EXPECT_THAT(AwaitInCancelledScope(Receive(connection.server)),
              StatusIs(absl::StatusCode::kCancelled, "receive: Operation canceled"));
  absl::StatusOr<Buffer> chunk = Await(Receive(connection.server));
  ASSERT_THAT(chunk, IsOk());
  EXPECT_EQ(chunk->view(), "x");
}

INSTANTIATE_ON_EVERY_BACKEND(ReceiveTest);

// Which size of buffer comes next, for each way in which a stream may go on.
class SizeTest : public ::testing::Test {
 protected:
  void Receive(size_t bytes) {
    WriteNow(connection_.client, std::string(bytes, 'x'));
    auto body = [&]() -> Task<absl::StatusOr<Buffers>> {
      co_return co_await MakeOperation(ReceiveAllOp{{.descriptor = connection_.server.get(), .store = &store_}});
    };
    absl::StatusOr<Buffers> buffers = world_.Run(body());
    ASSERT_THAT(buffers, IsOk());
    EXPECT_EQ(buffers->bytes(), bytes);
  }
  int size_class() { return ReceiveQueue::Of(*connection_.server.get()).size_class(); }

  SimulatedWorld world_{{.short_transfers = false, .interruptions = false}};
  // 64, 256 and 1024 bytes.
  ReceiveQueue::Store store_ =
      std::make_shared<internal::BufferStore>(BufferPoolOptions{.smallest = 64, .largest = 1024});
  Connection connection_ = MakeConnection(world_.system());
};

TEST_F(SizeTest, AsMuchAsFillsABufferTwiceInARowLeadsToTheNextLarger) {
  Receive(64);
  Receive(63);
  Receive(500);
  EXPECT_EQ(size_class(), 0) << "not in a row";
  Receive(64);
  EXPECT_EQ(size_class(), 1);
  Receive(256);
  EXPECT_EQ(size_class(), 1);
  Receive(256);
  EXPECT_EQ(size_class(), 2);
  for (int i = 0; i < 10; ++i) Receive(2000);
  EXPECT_EQ(size_class(), 2) << "there is no larger one";
}

TEST_F(SizeTest, LittleManyTimesInARowLeadsBack) {
  for (int i = 0; i < 4; ++i) Receive(1024);
  EXPECT_EQ(size_class(), 2);
  for (int i = 0; i < ReceiveQueue::kLittleBeforeSmaller - 1; ++i) Receive(128);
  EXPECT_EQ(size_class(), 2);
  Receive(129);
  for (int i = 0; i < ReceiveQueue::kLittleBeforeSmaller - 1; ++i) Receive(128);
  EXPECT_EQ(size_class(), 2) << "not in a row";
  Receive(128);
  EXPECT_EQ(size_class(), 1);
  for (int i = 0; i < ReceiveQueue::kLittleBeforeSmaller; ++i) Receive(32);
  EXPECT_EQ(size_class(), 0);
  for (int i = 0; i < 2 * ReceiveQueue::kLittleBeforeSmaller; ++i) Receive(1);
  EXPECT_EQ(size_class(), 0) << "there is no smaller one";
}

// A message as large as a buffer does not go up and down.
TEST_F(SizeTest, EqualMessagesComeToRest) {
  for (size_t bytes : {16u, 64u, 256u, 1000u, 1024u}) {
    for (int i = 0; i < 300; ++i) Receive(bytes);
    int before = size_class();
    for (int i = 0; i < 300; ++i) {
      Receive(bytes);
      ASSERT_EQ(size_class(), before) << bytes;
    }
  }
}

}  // namespace
}  // namespace proactor
