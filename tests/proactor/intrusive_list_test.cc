// SPDX-License-Identifier: Apache-2.0
#include "proactor/intrusive_list.h"

#include <deque>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

struct Item : ListNode<Item> {
  explicit Item(int n) : number(n) {}
  int number;
};

std::vector<int> Numbers(const IntrusiveList<Item>& list) {
  std::vector<int> numbers;
  for (const Item* item = list.front(); item != nullptr; item = list.Next(*item)) numbers.push_back(item->number);
  return numbers;
}

TEST(IntrusiveListTest, IsEmptyAtFirst) {
  IntrusiveList<Item> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(list.PopFront(), nullptr);
}

TEST(IntrusiveListTest, PopsInTheOrderOfPushing) {
  IntrusiveList<Item> list;
  Item one(1), two(2), three(3);
  list.PushBack(one);
  list.PushBack(two);
  list.PushBack(three);
  EXPECT_FALSE(list.empty());
  EXPECT_THAT(Numbers(list), ElementsAre(1, 2, 3));
  EXPECT_EQ(list.front(), &one);
  EXPECT_EQ(list.PopFront(), &one);
  EXPECT_EQ(list.PopFront(), &two);
  EXPECT_EQ(list.PopFront(), &three);
  EXPECT_EQ(list.PopFront(), nullptr);
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveListTest, WhatIsPushedToTheFrontIsPoppedFirst) {
  IntrusiveList<Item> list;
  Item one(1), two(2), three(3);
  list.PushFront(two);
  list.PushFront(one);
  list.PushBack(three);
  EXPECT_THAT(Numbers(list), ElementsAre(1, 2, 3));
  one.Unlink();
  EXPECT_EQ(list.PopFront(), &two);
  EXPECT_EQ(list.PopFront(), &three);
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveListTest, AnElementKnowsWhetherItIsLinked) {
  IntrusiveList<Item> list;
  Item item(1);
  EXPECT_FALSE(item.linked());
  list.PushBack(item);
  EXPECT_TRUE(item.linked());
  list.PopFront();
  EXPECT_FALSE(item.linked());
  list.PushBack(item);
  item.Unlink();
  EXPECT_FALSE(item.linked());
}

TEST(IntrusiveListTest, ElementsLeaveFromEverywhere) {
  IntrusiveList<Item> list;
  Item one(1), two(2), three(3), four(4);
  for (Item* item : {&one, &two, &three, &four}) list.PushBack(*item);
  two.Unlink();
  EXPECT_THAT(Numbers(list), ElementsAre(1, 3, 4));
  one.Unlink();
  EXPECT_THAT(Numbers(list), ElementsAre(3, 4));
  four.Unlink();
  EXPECT_THAT(Numbers(list), ElementsAre(3));
  three.Unlink();
  EXPECT_THAT(Numbers(list), IsEmpty());
}

TEST(IntrusiveListTest, LeavingTwiceIsHarmless) {
  IntrusiveList<Item> list;
  Item one(1), two(2);
  list.PushBack(one);
  list.PushBack(two);
  one.Unlink();
  one.Unlink();
  EXPECT_THAT(Numbers(list), ElementsAre(2));
}

TEST(IntrusiveListTest, ADestroyedListLetsItsElementsGo) {
  Item one(1), two(2);
  {
    IntrusiveList<Item> list;
    list.PushBack(one);
    list.PushBack(two);
  }
  EXPECT_FALSE(one.linked());
  EXPECT_FALSE(two.linked());
  one.Unlink();
  IntrusiveList<Item> other;
  other.PushBack(two);
  EXPECT_THAT(Numbers(other), ElementsAre(2));
}

TEST(IntrusiveListTest, TakesAllOfAnotherList) {
  IntrusiveList<Item> from, to;
  Item one(1), two(2), three(3);
  from.PushBack(one);
  from.PushBack(two);
  to.Take(from);
  EXPECT_TRUE(from.empty());
  EXPECT_THAT(Numbers(to), ElementsAre(1, 2));
  from.PushBack(three);
  one.Unlink();
  EXPECT_THAT(Numbers(from), ElementsAre(3));
  EXPECT_THAT(Numbers(to), ElementsAre(2));
  to.PushBack(one);
  EXPECT_THAT(Numbers(to), ElementsAre(2, 1));
}

TEST(IntrusiveListTest, TakesTheOnlyElement) {
  IntrusiveList<Item> from, to;
  Item one(1);
  from.PushBack(one);
  to.Take(from);
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(to.PopFront(), &one);
  EXPECT_TRUE(to.empty());
}

TEST(IntrusiveListTest, TakesNothingOfAnEmptyList) {
  IntrusiveList<Item> from, to;
  to.Take(from);
  EXPECT_TRUE(to.empty());
  EXPECT_TRUE(from.empty());
  Item one(1);
  to.PushBack(one);
  EXPECT_THAT(Numbers(to), ElementsAre(1));
}

struct ByAge {};
struct ByName {};
struct Person : ListNode<ByAge>, ListNode<ByName> {};

TEST(IntrusiveListTest, AnElementIsInTwoListsAtOnce) {
  IntrusiveList<Person, ByAge> by_age;
  IntrusiveList<Person, ByName> by_name;
  Person ann, bob;
  by_age.PushBack(ann);
  by_age.PushBack(bob);
  by_name.PushBack(bob);
  by_name.PushBack(ann);
  EXPECT_EQ(by_age.PopFront(), &ann);
  EXPECT_FALSE(ann.ListNode<ByAge>::linked());
  EXPECT_TRUE(ann.ListNode<ByName>::linked());
  EXPECT_EQ(by_name.PopFront(), &bob);
  EXPECT_EQ(by_name.PopFront(), &ann);
}

TEST(IntrusiveListTest, DoesWhatADequeWouldDo) {
  for (unsigned seed = 0; seed < 50 && !HasFailure(); ++seed) {
    std::mt19937 random(seed);
    std::deque<Item> items;
    for (int i = 0; i < 20; ++i) items.emplace_back(i);
    IntrusiveList<Item> list;
    std::deque<int> model;
    for (int step = 0; step < 200; ++step) {
      Item& item = items[random() % items.size()];
      switch (random() % 4) {
        case 0:
          if (item.linked()) break;
          list.PushBack(item);
          model.push_back(item.number);
          break;
        case 1:
          if (item.linked()) break;
          list.PushFront(item);
          model.push_front(item.number);
          break;
        case 2:
          item.Unlink();
          std::erase(model, item.number);
          break;
        case 3: {
          Item* first = list.PopFront();
          ASSERT_EQ(first == nullptr, model.empty());
          if (first == nullptr) break;
          ASSERT_EQ(first->number, model.front());
          model.pop_front();
          break;
        }
      }
      ASSERT_THAT(Numbers(list), ElementsAreArray(model)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace proactor
