// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/send_buffers.h"

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "proactor/buffer_store.h"
#include "proactor/errors.h"
#include "proactor/operation/recv.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class SendBuffersTest : public OperationTest {
 protected:
  // So many buffers, and what is in them.
  Buffers Make(int count) {
    Buffers buffers;
    for (int i = 0; i < count; ++i) {
      internal::BufferSlot* slot = store_.Take(0);
      std::string bytes = "bytes of " + std::to_string(i) + ";";
      bytes.copy(slot->memory, bytes.size());
      buffers.PushBack(store_.Received(*slot, bytes.size()));
      all_ += bytes;
    }
    return buffers;
  }
  SendBuffersOp Send(const OwnedDescriptor& descriptor, const Buffers& buffers) {
    return {.descriptor = descriptor.get(), .next = buffers.begin()};
  }
  std::string ReadAll(const OwnedDescriptor& descriptor) {
    std::string received;
    char buffer[1000];
    while (received.size() < all_.size()) {
      absl::StatusOr<size_t> n = Await(RecvOp{.descriptor = descriptor.get(), .buffer = buffer});
      if (!n.ok() || *n == 0) break;
      received.append(buffer, *n);
    }
    return received;
  }

  internal::BufferStore store_{{.smallest = 64, .largest = 64}};
  std::string all_;
};

TEST_P(SendBuffersTest, SendsOneOrManyInOrder) {
  // More than a message takes are sent in several.
  for (int count : {1, 2, 16, 17, 50}) {
    Connection connection = MakeConnection(system());
    all_.clear();
    Buffers buffers = Make(count);
    EXPECT_THAT(Await(Send(connection.client, buffers)), IsOk());
    EXPECT_EQ(ReadAll(connection.server), all_) << count;
  }
}

TEST_P(SendBuffersTest, NothingIsSentWithoutAskingAnyone) {
  Connection connection = MakeConnection(system());
  Buffers none;
  int64_t before = counters().operations.value();
  EXPECT_THAT(Await(Send(connection.client, none)), IsOk());
  EXPECT_EQ(counters().operations.value(), before);
}

TEST_P(SendBuffersTest, WhatWasLetGoOfIsNotSent) {
  Connection connection = MakeConnection(system());
  Buffers buffers = Make(1);
  Buffer first = buffers.PopFront();
  first.RemovePrefix(6);
  all_.erase(0, 6);
  buffers.PushBack(std::move(first));
  EXPECT_THAT(Await(Send(connection.client, buffers)), IsOk());
  EXPECT_EQ(ReadAll(connection.server), all_);
}

TEST_P(SendBuffersTest, AFailureSaysHowManyBytesWereTaken) {
  OwnedDescriptor socket = MakeSocket(system());
  Buffers buffers = Make(3);
  absl::Status status = Await(Send(socket, buffers));
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(BytesTransferred(status), 0u);
}

TEST_P(SendBuffersTest, ACancelledScopeSendsNothing) {
  Connection connection = MakeConnection(system());
  Buffers buffers = Make(3);
  EXPECT_THAT(AwaitInCancelledScope(Send(connection.client, buffers)), StatusIs(absl::StatusCode::kCancelled));
  all_ = "x";
  WriteNow(connection.client, "x");
  EXPECT_EQ(ReadAll(connection.server), "x");
}

INSTANTIATE_ON_EVERY_BACKEND(SendBuffersTest);

}  // namespace
}  // namespace proactor
