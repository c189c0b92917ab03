// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/cancel_line.h"

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/backend/user_data.h"
#include "proactor/context.h"
#include "proactor/operation/operation_base.h"
#include "proactor/task.h"
#include "tests/support/plain_operation.h"

namespace proactor {
namespace {

class CancelLineTest : public testing::Test {
 protected:
  CancelLineTest() {
    for (int i = 0; i < 20; ++i) {
      operations_.push_back(std::make_unique<PlainOperation>(promise_, context_));
      line_.Push(*operations_.back());
    }
  }
  PlainOperation& operation(int number) { return *operations_[static_cast<size_t>(number)]; }

  // The numbers of those that are left, in the order in which they go.
  std::vector<int> PopAll() {
    std::vector<int> numbers;
    while (!line_.empty()) {
      const OperationBase* newest = OperationOf(line_.Pop());
      for (int i = 0; i < 20; ++i) {
        if (&operation(i) == newest) numbers.push_back(i);
      }
    }
    return numbers;
  }

  internal::Promise<void> promise_;
  Context context_;
  std::vector<std::unique_ptr<PlainOperation>> operations_;
  CancelLine line_;
};

TEST_F(CancelLineTest, TheNewestGoesFirst) {
  std::vector<int> newest_first;
  for (int i = 20; i-- > 0;) newest_first.push_back(i);
  EXPECT_EQ(PopAll(), newest_first);
}

TEST_F(CancelLineTest, ThoseThatHaveEndedAreLeftOutWhereverTheyStood) {
  for (int number : {0, 7, 8, 18, 19, 17}) line_.Remove(operation(number));
  EXPECT_EQ(PopAll(), std::vector<int>({16, 15, 14, 13, 12, 11, 10, 9, 6, 5, 4, 3, 2, 1}));
}

TEST_F(CancelLineTest, IsEmptyOnceAllHaveEnded) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(line_.empty());
    line_.Remove(operation(i));
  }
  EXPECT_TRUE(line_.empty());
  line_.Push(operation(3));
  EXPECT_EQ(PopAll(), std::vector<int>({3}));
}

}  // namespace
}  // namespace proactor
