// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring_buffers.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>

namespace proactor {

RingBuffersList::~RingBuffersList() {
  while (RingBuffers* group = all_.PopFront()) group->Leave();
}

std::unique_ptr<BufferGroup> RingBuffersList::Make(uint16_t capacity) {
  // A number that is taken (EEXIST) is passed over: there are 65,536, and few pools.
  for (int tries = 0; tries < 1 << 16; ++tries) {
    auto group = std::make_unique<RingBuffers>(next_number_++, capacity);
    int result = group->Register(ring_);
    if (result == -EEXIST) continue;
    if (result < 0) return nullptr;
    all_.PushBack(*group);
    return group;
  }
  return nullptr;
}

RingBuffers::RingBuffers(uint16_t number, uint16_t capacity) : BufferGroup(number, capacity, MakeEntries(capacity)) {
  static_assert(sizeof(Entry) == sizeof(io_uring_buf) && offsetof(Entry, size) == offsetof(io_uring_buf, len) &&
                offsetof(Entry, index) == offsetof(io_uring_buf, bid) &&
                offsetof(Entry, tail) == offsetof(io_uring_buf_ring, tail));
}

BufferGroup::Entry* RingBuffers::MakeEntries(size_t count) {
  void* memory = mmap(nullptr, count * sizeof(Entry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED ? static_cast<Entry*>(memory) : nullptr;
}

RingBuffers::~RingBuffers() {
  if (ring_ != nullptr) {
    io_uring_buf_reg registration = {};
    registration.bgid = number();
    ring_->Register(IORING_UNREGISTER_PBUF_RING, &registration, 1);
  }
  ListNode<RingBuffers>::Unlink();
  if (entries() != nullptr) munmap(entries(), capacity() * sizeof(Entry));
}

int RingBuffers::Register(Ring& ring) {
  if (entries() == nullptr) return -ENOMEM;
  // The kernel reads these very pages. Shared with a child, they would be copied at the next write, and it would read
  // what nobody writes to any more. A child gets empty ones, so that it may give a buffer back, as nobody will notice.
  if (ring.real()) madvise(entries(), capacity() * sizeof(Entry), MADV_WIPEONFORK);
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uintptr_t>(entries());
  registration.ring_entries = capacity();
  registration.bgid = number();
  int result = ring.Register(IORING_REGISTER_PBUF_RING, &registration, 1);
  if (result == 0) ring_ = &ring;
  return result;
}

}  // namespace proactor
