// SPDX-License-Identifier: Apache-2.0
#include "proactor/buffer_group.h"

#include <memory>

#include "gtest/gtest.h"
#include "proactor/proactor.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

class BufferGroupTest : public BackendTest {};

TEST_P(BufferGroupTest, IsThereWhereTheKernelReceivesByItself) {
  Proactor& proactor = scheduler().proactor();
  bool can =
      proactor.capabilities().Has(Feature::kBufferRing) && proactor.capabilities().Has(Feature::kMultishotReceive);
  std::unique_ptr<BufferGroup> first = proactor.MakeBufferGroup(8);
  ASSERT_EQ(first != nullptr, can);
  if (!can) return;
  std::unique_ptr<BufferGroup> second = proactor.MakeBufferGroup(16);
  EXPECT_NE(first->number(), second->number());
  EXPECT_EQ(first->capacity(), 8u);
  EXPECT_EQ(second->capacity(), 16u);
}

TEST_P(BufferGroupTest, MayOutliveItsProactor) {
  std::unique_ptr<BufferGroup> group;
  {
    Bench bench(GetParam());
    group = bench.scheduler().proactor().MakeBufferGroup(8);
  }
  char memory[8];
  if (group != nullptr) group->Add(memory, sizeof(memory), 0);
}

INSTANTIATE_ON_EVERY_BACKEND(BufferGroupTest);

}  // namespace
}  // namespace proactor
