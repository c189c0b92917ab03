// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring_buffers.h"

#include <liburing.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "gtest/gtest.h"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/feature.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/memory_map.h"

namespace proactor {
namespace {

class RingBuffersTest : public ::testing::Test {
 protected:
  RingBuffersTest() {
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, kernel_);
    EXPECT_THAT(ring, IsOk());
    ring_ = *std::move(ring);
  }

  SimulatedSystem system_{{.seed = 1}};
  FakeKernel kernel_{system_};
  std::unique_ptr<Ring> ring_;
};

TEST_F(RingBuffersTest, EachHasANumberOfItsOwn) {
  RingBuffersList groups(*ring_);
  std::unique_ptr<BufferGroup> first = groups.Make(4);
  std::unique_ptr<BufferGroup> second = groups.Make(4);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_NE(first->number(), second->number());
}

TEST_F(RingBuffersTest, ANumberThatSomebodyElseHasIsPassedOver) {
  alignas(4096) static char memory[4096];
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uintptr_t>(memory);
  registration.ring_entries = 4;
  registration.bgid = 0;
  ASSERT_EQ(ring_->Register(IORING_REGISTER_PBUF_RING, &registration, 1), 0);
  RingBuffersList groups(*ring_);
  std::unique_ptr<BufferGroup> group = groups.Make(4);
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->number(), 1);
}

TEST_F(RingBuffersTest, WhatTheKernelRefusesIsNull) {
  RingBuffersList groups(*ring_);
  EXPECT_EQ(groups.Make(3), nullptr) << "no power of two";
}

TEST_F(RingBuffersTest, TheKernelForgetsOneThatEnds) {
  RingBuffersList groups(*ring_);
  std::unique_ptr<BufferGroup> group = groups.Make(4);
  ASSERT_NE(group, nullptr);
  io_uring_buf_reg registration = {};
  registration.bgid = group->number();
  group.reset();
  EXPECT_EQ(ring_->Register(IORING_UNREGISTER_PBUF_RING, &registration, 1), -ENOENT);
}

TEST_F(RingBuffersTest, OneThatOutlivesItsListIsLeftAlone) {
  std::unique_ptr<BufferGroup> group;
  {
    RingBuffersList groups(*ring_);
    group = groups.Make(4);
    ASSERT_NE(group, nullptr);
  }
  ring_.reset();
  char memory[8];
  group->Add(memory, sizeof(memory), 0);
}

// Copied, the kernel would go on reading pages that its process does not write to any more.
TEST(RealRingBuffersTest, AChildGetsEmptyOnesAndMayGiveBuffersBack) {
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({});
  ASSERT_THAT(ring, IsOk());
  ASSERT_THAT((*ring)->Enable(), IsOk());
  if (!(*ring)->Has(Feature::kBufferRing)) GTEST_SKIP() << "a feature of Linux 5.19";
  RingBuffersList groups(**ring);
  int before = MappingsWith("wf");
  std::unique_ptr<BufferGroup> group = groups.Make(4);
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(MappingsWith("wf"), before + 1);
  pid_t child = fork();
  if (child == 0) {
    char memory[8];
    group->Add(memory, sizeof(memory), 0);
    group.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace proactor
