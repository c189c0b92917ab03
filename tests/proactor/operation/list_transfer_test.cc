// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/list_transfer.h"

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"

namespace proactor {
namespace {

using Pieces = ListTransfer<std::string_view>;

std::vector<std::string> PartsOf(const msghdr& message) {
  std::vector<std::string> parts;
  for (const iovec& part : std::span<const iovec>(message.msg_iov, message.msg_iovlen)) {
    parts.emplace_back(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return parts;
}

TEST(ListTransferTest, AMessageTakesTheBuffersInOrder) {
  std::string_view pieces[] = {"one", "two", "three"};
  Pieces list(pieces);
  EXPECT_FALSE(list.done());
  EXPECT_EQ(PartsOf(list.NextMessage()), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(list.size(), 11u);
  EXPECT_FALSE(list.more());
  list.Advance(11);
  EXPECT_TRUE(list.done());
  EXPECT_EQ(list.transferred(), 11u);
}

TEST(ListTransferTest, TheRestBeginsWhereverItStopped) {
  std::string_view pieces[] = {"one", "two", "three"};
  std::string all = "onetwothree";
  for (size_t first = 0; first < all.size(); ++first) {
    Pieces list(pieces);
    list.Advance(first);
    std::string rest;
    for (const std::string& part : PartsOf(list.NextMessage())) rest += part;
    EXPECT_EQ(rest, all.substr(first));
    EXPECT_FALSE(list.done());
    EXPECT_EQ(list.transferred(), first);
  }
}

// A message of nothing would be sent for ever.
TEST(ListTransferTest, EmptyBuffersArePassedOver) {
  std::string_view pieces[] = {"", "one", "", "", "two", ""};
  Pieces list(pieces);
  EXPECT_EQ(PartsOf(list.NextMessage()), (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(list.more());
  list.Advance(3);
  EXPECT_EQ(PartsOf(list.NextMessage()), (std::vector<std::string>{"two"}));
  list.Advance(3);
  EXPECT_TRUE(list.done());
  std::string_view empty[] = {"", "", ""};
  EXPECT_TRUE(Pieces(empty).done());
  EXPECT_TRUE(Pieces({}).done());
}

TEST(ListTransferTest, ALongListTakesSeveralMessages) {
  std::vector<std::string> contents;
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < 2 * Pieces::kMostParts + 3; ++i) contents.push_back(std::to_string(i));
  for (const std::string& piece : contents) pieces.insert(pieces.end(), {piece, ""});
  Pieces list(pieces);
  std::vector<std::string> taken;
  for (size_t messages = 1; !list.done(); ++messages) {
    size_t size = 0;
    for (const std::string& part : PartsOf(list.NextMessage())) {
      taken.push_back(part);
      size += part.size();
    }
    EXPECT_EQ(list.more(), messages < 3);
    list.Advance(size);
  }
  EXPECT_EQ(taken, contents);
}

// Nothing follows after exactly as many as fit, whatever empty ones there are.
TEST(ListTransferTest, WhatFitsExactlyLeavesNothing) {
  std::vector<std::string_view> pieces(Pieces::kMostParts, "x");
  pieces.push_back("");
  Pieces list(pieces);
  EXPECT_EQ(list.NextMessage().msg_iovlen, Pieces::kMostParts);
  EXPECT_FALSE(list.more());
}

TEST(ListTransferTest, NoMoreThanTheKernelTransfersIsAskedForAtOnce) {
  // The bytes are not touched.
  std::string_view pieces[] = {{"", 4}, {"", size_t{5} << 30}, {"", 4}};
  Pieces list(pieces);
  msghdr& message = list.NextMessage();
  ASSERT_EQ(message.msg_iovlen, 2u);
  EXPECT_EQ(message.msg_iov[1].iov_len, kLargestTransfer - 4);
  EXPECT_EQ(list.size(), kLargestTransfer);
  EXPECT_TRUE(list.more());
  list.Advance(kLargestTransfer);
  EXPECT_EQ(list.NextMessage().msg_iov[0].iov_len, kLargestTransfer);
}

TEST(ListTransferTest, AFullMessageLeavesTheNextBufferForAnother) {
  std::string_view pieces[] = {{"", kLargestTransfer}, "x"};
  Pieces list(pieces);
  EXPECT_EQ(list.NextMessage().msg_iovlen, 1u);
  EXPECT_TRUE(list.more());
}

TEST(ListTransferTest, BuffersToReceiveIntoAreTheSame) {
  char first[3], second[5];
  std::span<char> buffers[] = {first, second};
  ListTransfer list = ListTransfer<std::span<char>>(buffers);
  msghdr& message = list.NextMessage();
  ASSERT_EQ(message.msg_iovlen, 2u);
  EXPECT_EQ(message.msg_iov[0].iov_base, first);
  EXPECT_EQ(message.msg_iov[1].iov_base, second);
  EXPECT_EQ(message.msg_iov[1].iov_len, 5u);
}

// An operation moves before it is awaited, and not afterwards.
TEST(ListTransferTest, ACopyHasAMessageOfItsOwn) {
  std::string_view pieces[] = {"one", "two"};
  Pieces list(pieces);
  list.Advance(1);
  msghdr& message = list.NextMessage();
  Pieces copy = list;
  EXPECT_NE(copy.NextMessage().msg_iov, message.msg_iov);
  EXPECT_EQ(PartsOf(copy.NextMessage()), (std::vector<std::string>{"ne", "two"}));
  EXPECT_EQ(copy.transferred(), 1u);
  static_assert(std::is_trivially_destructible_v<Pieces>);
}

}  // namespace
}  // namespace proactor
