// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_buffers.h"

#include <cerrno>

#include "gtest/gtest.h"

namespace proactor {
namespace {

io_uring_buf_reg Registration(const void* ring, unsigned entries, unsigned group) {
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uintptr_t>(ring);
  registration.ring_entries = entries;
  registration.bgid = static_cast<__u16>(group);
  return registration;
}

alignas(4096) io_uring_buf memory[4096 / sizeof(io_uring_buf)];

void Add(unsigned short number) {
  auto* ring = reinterpret_cast<io_uring_buf_ring*>(memory);
  io_uring_buf& buffer = memory[ring->tail & 3];
  buffer.addr = 1000 + number;
  buffer.len = 10;
  buffer.bid = number;
  ++ring->tail;
}

TEST(FakeBuffersTest, AreTakenInTheOrderOfAddingAndMayBePutBack) {
  FakeBuffers buffers;
  EXPECT_EQ(buffers.Register(Registration(memory, 4, 7)), 0);
  EXPECT_EQ(buffers.Take(7), std::nullopt);
  for (unsigned short round = 0; round < 10; ++round) {
    for (unsigned short i = 0; i < 3; ++i) Add(static_cast<unsigned short>(3 * round + i));
    for (unsigned short i = 0; i < 3; ++i) {
      EXPECT_EQ(buffers.Take(7)->number, 3 * round + i);
      buffers.PutBack(7);
      std::optional<FakeBuffers::Buffer> buffer = buffers.Take(7);
      EXPECT_EQ(buffer->number, 3 * round + i);
      EXPECT_EQ(buffer->address, reinterpret_cast<void*>(uintptr_t{1000} + buffer->number));
      EXPECT_EQ(buffer->size, 10u);
    }
    EXPECT_EQ(buffers.Take(7), std::nullopt);
  }
}

TEST(FakeBuffersTest, RegistrationsThatMakeNoSenseAreRefused) {
  FakeBuffers buffers;
  EXPECT_EQ(buffers.Register(Registration(memory, 3, 1)), -EINVAL);
  EXPECT_EQ(buffers.Register(Registration(memory, 0, 1)), -EINVAL);
  EXPECT_EQ(buffers.Register(Registration(memory, 65536, 1)), -EINVAL);
  EXPECT_EQ(buffers.Register(Registration(&memory[1], 4, 1)), -EINVAL);
  EXPECT_EQ(buffers.Register(Registration(memory, 4, 1)), 0);
  EXPECT_EQ(buffers.Register(Registration(memory, 4, 1)), -EEXIST);
  EXPECT_EQ(buffers.Unregister(1), 0);
  EXPECT_EQ(buffers.Unregister(1), -ENOENT);
  EXPECT_EQ(buffers.Take(1), std::nullopt);
}

}  // namespace
}  // namespace proactor
