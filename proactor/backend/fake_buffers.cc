// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_buffers.h"

#include <atomic>
#include <bit>
#include <cerrno>

namespace proactor {

int FakeBuffers::Register(const io_uring_buf_reg& registration) {
  constexpr unsigned kMost = 32768;
  if (!std::has_single_bit(registration.ring_entries) || registration.ring_entries > kMost) return -EINVAL;
  if (registration.ring_addr == 0 || registration.ring_addr % 4096 != 0) return -EINVAL;  // A page's beginning.
  if (groups_.contains(registration.bgid)) return -EEXIST;
  groups_[registration.bgid] = {.ring = reinterpret_cast<io_uring_buf_ring*>(registration.ring_addr),
                                .count = registration.ring_entries};
  return 0;
}

int FakeBuffers::Unregister(unsigned group) { return groups_.erase(group) > 0 ? 0 : -ENOENT; }

std::optional<FakeBuffers::Buffer> FakeBuffers::Take(unsigned group) {
  auto found = groups_.find(group);
  if (found == groups_.end()) return std::nullopt;
  Group& buffers = found->second;
  // Acquire sees the buffers that the user has filled in before it moved the tail.
  uint16_t tail = std::atomic_ref(buffers.ring->tail).load(std::memory_order_acquire);
  if (buffers.head == tail) return std::nullopt;
  // By address: the ring's own array is declared as one of no length.
  const io_uring_buf* first = reinterpret_cast<const io_uring_buf*>(buffers.ring);
  const io_uring_buf& buffer = first[buffers.head++ & (buffers.count - 1)];
  return Buffer{reinterpret_cast<void*>(buffer.addr), buffer.len, buffer.bid};
}

}  // namespace proactor
