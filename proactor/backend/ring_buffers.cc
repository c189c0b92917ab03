// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring_buffers.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>

namespace proactor {

RingBuffersList::~RingBuffersList() {
  while (RingBuffers* group = all_.PopFront()) group->Leave();
}

std::unique_ptr<BufferGroup> RingBuffersList::Make(unsigned capacity) {
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

RingBuffers::RingBuffers(uint16_t number, unsigned capacity) : number_(number), capacity_(capacity) {
  void* memory =
      mmap(nullptr, capacity * sizeof(io_uring_buf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) buffers_ = static_cast<io_uring_buf_ring*>(memory);
}

RingBuffers::~RingBuffers() {
  if (ring_ != nullptr) {
    io_uring_buf_reg registration = {};
    registration.bgid = number_;
    ring_->Register(IORING_UNREGISTER_PBUF_RING, &registration, 1);
  }
  ListNode<RingBuffers>::Unlink();
  if (buffers_ != nullptr) munmap(buffers_, capacity_ * sizeof(io_uring_buf));
}

int RingBuffers::Register(Ring& ring) {
  if (buffers_ == nullptr) return -ENOMEM;
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uintptr_t>(buffers_);
  registration.ring_entries = capacity_;
  registration.bgid = number_;
  int result = ring.Register(IORING_REGISTER_PBUF_RING, &registration, 1);
  if (result == 0) ring_ = &ring;
  return result;
}

void RingBuffers::Add(char* memory, size_t size, uint16_t index) {
  // Without a constructor: the tail of the ring lies in the first entry, where nothing else may be written.
  io_uring_buf& entry = buffers_->bufs[tail_ & (capacity_ - 1)];
  entry.addr = reinterpret_cast<uintptr_t>(memory);
  entry.len = static_cast<unsigned>(size);
  entry.bid = index;
  // Release: the kernel may take the buffer once it sees the new tail.
  std::atomic_ref(buffers_->tail).store(++tail_, std::memory_order_release);
}

}  // namespace proactor
