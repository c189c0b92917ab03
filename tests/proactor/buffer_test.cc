// SPDX-License-Identifier: Apache-2.0
#include "proactor/buffer.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/buffer_store.h"

namespace proactor {
namespace {

class BufferTest : public ::testing::Test {
 protected:
  Buffer Make(std::string_view bytes) {
    internal::BufferSlot* slot = store_.Take(0);
    bytes.copy(slot->memory, bytes.size());
    return store_.Received(*slot, bytes.size());
  }
  int out() const { return store_.usage().received; }

  internal::BufferStore store_{{.smallest = 64, .largest = 64}};
};

TEST_F(BufferTest, GivesItsBytesBackAtItsEnd) {
  {
    Buffer buffer = Make("abc");
    EXPECT_EQ(buffer.view(), "abc");
    EXPECT_EQ(std::string_view(buffer), "abc");
    EXPECT_EQ(buffer.span().size(), 3u);
    EXPECT_EQ(out(), 1);
  }
  EXPECT_EQ(out(), 0);
}

TEST_F(BufferTest, OneThatWasMovedFromIsEmpty) {
  Buffer buffer = Make("abc");
  Buffer other = std::move(buffer);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_EQ(other.view(), "abc");
  buffer = std::move(other);
  EXPECT_EQ(buffer.view(), "abc");
  EXPECT_EQ(out(), 1);
}

TEST_F(BufferTest, APrefixIsLetGoOf) {
  Buffer buffer = Make("abcdef");
  buffer.RemovePrefix(2);
  EXPECT_EQ(buffer.view(), "cdef");
  buffer.RemovePrefix(100);
  EXPECT_TRUE(buffer.empty());
  Buffer none;
  none.RemovePrefix(1);
  EXPECT_TRUE(none.empty());
}

TEST_F(BufferTest, SeveralAreInOrder) {
  Buffers buffers;
  for (const char* bytes : {"a", "bc", "def"}) buffers.PushBack(Make(bytes));
  buffers.PushBack(Buffer());
  EXPECT_EQ(buffers.count(), 3u);
  EXPECT_EQ(buffers.bytes(), 6u);
  EXPECT_EQ(std::vector<std::string_view>(buffers.begin(), buffers.end()),
            (std::vector<std::string_view>{"a", "bc", "def"}));
  EXPECT_EQ(buffers.PopFront().view(), "a");
  EXPECT_EQ(buffers.PopFront().view(), "bc");
  EXPECT_EQ(buffers.PopFront().view(), "def");
  EXPECT_TRUE(buffers.PopFront().empty());
  EXPECT_TRUE(buffers.empty());
  buffers.PushBack(Make("g"));
  EXPECT_EQ(buffers.PopFront().view(), "g");
}

TEST_F(BufferTest, SomeAreAppendedToOthers) {
  Buffers first, second, none;
  first.PushBack(Make("a"));
  second.PushBack(Make("b"));
  second.PushBack(Make("c"));
  first.Append(std::move(second));
  first.Append(std::move(none));
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(second.count(), 0u);
  EXPECT_EQ(first.count(), 3u);
  second.Append(std::move(first));
  EXPECT_EQ(std::vector<std::string_view>(second.begin(), second.end()),
            (std::vector<std::string_view>{"a", "b", "c"}));
}

TEST_F(BufferTest, AllComeBackWithTheirList) {
  {
    Buffers buffers;
    for (int i = 0; i < 10; ++i) buffers.PushBack(Make("x"));
    Buffers other = std::move(buffers);
    EXPECT_EQ(out(), 10);
    other.Clear();
    EXPECT_EQ(out(), 0);
    other.PushBack(Make("x"));
  }
  EXPECT_EQ(out(), 0);
}

}  // namespace
}  // namespace proactor
