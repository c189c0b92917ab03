// SPDX-License-Identifier: Apache-2.0
#include "proactor/sync/exchange.h"

#include <deque>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor::internal {
namespace {

using ::testing::Optional;

// Waits by standing in a list, and notes that it was woken.
struct Visitor {
  bool woken = false;
};
struct Line {
  std::deque<Visitor*> visitors;
  bool empty() const { return visitors.empty(); }
  Visitor* front() const { return visitors.empty() ? nullptr : visitors.front(); }
  Visitor* FrontExcept(const PromiseBase*) const { return front(); }
  void Wake(Visitor& visitor) {
    std::erase(visitors, &visitor);
    visitor.woken = true;
  }
};
using TestExchange = Exchange<std::string, Visitor, Line>;

TEST(ExchangeTest, AReceiverThatWaitsIsGivenTheValue) {
  TestExchange exchange(1);
  TestExchange::Receiving receiver;
  exchange.receivers.visitors.push_back(&receiver);
  std::string value = "a";
  EXPECT_TRUE(exchange.Send(value, nullptr));
  EXPECT_TRUE(receiver.woken);
  EXPECT_THAT(receiver.value(), Optional(std::string("a")));
  EXPECT_TRUE(exchange.queue.empty());
}

TEST(ExchangeTest, TheRoomThatAValueLeavesIsForTheSenderThatWaits) {
  TestExchange exchange(1);
  std::string first = "a", second = "b", third = "c";
  EXPECT_TRUE(exchange.Send(first, nullptr));
  EXPECT_FALSE(exchange.Send(second, nullptr));
  EXPECT_EQ(second, "b");
  TestExchange::Sending sender(second);
  exchange.senders.visitors.push_back(&sender);
  std::optional<std::string> taken;
  EXPECT_TRUE(exchange.Receive(taken, nullptr));
  EXPECT_THAT(taken, Optional(std::string("a")));
  EXPECT_TRUE(sender.woken);
  EXPECT_FALSE(exchange.Send(third, nullptr)) << "it is taken";
  EXPECT_TRUE(exchange.Receive(taken, nullptr));
  EXPECT_THAT(taken, Optional(std::string("b")));
  EXPECT_FALSE(exchange.Receive(taken, nullptr));
}

TEST(ExchangeTest, WithoutRoomAValueGoesFromSenderToReceiver) {
  TestExchange exchange(0);
  std::string value = "a";
  EXPECT_FALSE(exchange.Send(value, nullptr));
  TestExchange::Sending sender(value);
  exchange.senders.visitors.push_back(&sender);
  std::optional<std::string> taken;
  EXPECT_TRUE(exchange.Receive(taken, nullptr));
  EXPECT_THAT(taken, Optional(std::string("a")));
  EXPECT_TRUE(sender.woken);
  EXPECT_FALSE(sender.refused());
}

TEST(ExchangeTest, ClosingRefusesSendersAndEndsReceivers) {
  TestExchange exchange(0);
  std::string value = "a";
  TestExchange::Sending sender(value);
  TestExchange::Receiving receiver;
  exchange.senders.visitors.push_back(&sender);
  exchange.receivers.visitors.push_back(&receiver);
  exchange.Close();
  EXPECT_TRUE(sender.woken && sender.refused() && receiver.woken);
  EXPECT_EQ(receiver.value(), std::nullopt);
  EXPECT_EQ(value, "a");
}

}  // namespace
}  // namespace proactor::internal
