// SPDX-License-Identifier: Apache-2.0
//
// RingBuffers: a ring of provided buffers of one io_uring.
//
//   RingBuffersList groups(ring);
//   std::unique_ptr<BufferGroup> group = groups.Make(1024);   // null: the kernel refuses
//
// The kernel reads the ring, which is in memory of ours, in the order of adding, and never writes to it.
//
// Threads: the ring's.
#ifndef PROACTOR_BACKEND_RING_BUFFERS_H_
#define PROACTOR_BACKEND_RING_BUFFERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "proactor/backend/ring.h"
#include "proactor/buffer_group.h"
#include "proactor/intrusive_list.h"

namespace proactor {

class RingBuffers;

// All of one io_uring. They may outlive it.
class RingBuffersList {
 public:
  explicit RingBuffersList(Ring& ring) : ring_(ring) {}
  ~RingBuffersList();

  std::unique_ptr<BufferGroup> Make(uint16_t capacity);

 private:
  Ring& ring_;
  uint16_t next_number_ = 0;
  IntrusiveList<RingBuffers> all_;
};

class RingBuffers final : public BufferGroup, public ListNode<RingBuffers> {
 public:
  // The capacity is a power of two, 32768 at most.
  RingBuffers(uint16_t number, uint16_t capacity);
  ~RingBuffers() override;

  // 0, or -errno.
  int Register(Ring& ring);
  // The ring is about to end, and the registration with it.
  void Leave() { ring_ = nullptr; }

 private:
  static Entry* MakeEntries(size_t count);

  Ring* ring_ = nullptr;  // Null when it is not registered.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_RING_BUFFERS_H_
