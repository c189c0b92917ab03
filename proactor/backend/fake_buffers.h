// SPDX-License-Identifier: Apache-2.0
//
// FakeBuffers: rings of provided buffers (IORING_REGISTER_PBUF_RING, Linux 5.19), from the kernel's side.
//
//   FakeBuffers buffers;
//   int result = buffers.Register(registration);
//   std::optional<FakeBuffers::Buffer> buffer = buffers.Take(group);   // nothing: ENOBUFS
//   buffers.PutBack(group);                                            // it was not used after all
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_BUFFERS_H_
#define PROACTOR_BACKEND_FAKE_BUFFERS_H_

#include <liburing.h>

#include <cstdint>
#include <map>
#include <optional>

namespace proactor {

class FakeBuffers {
 public:
  struct Buffer {
    void* address;
    unsigned size;
    uint16_t number;

    bool operator==(const Buffer&) const = default;
  };

  // As io_uring_register(2): 0 or -errno.
  int Register(const io_uring_buf_reg& registration);
  int Unregister(unsigned group);
  size_t groups() const { return groups_.size(); }

  // The oldest that the user has added to the group.
  std::optional<Buffer> Take(unsigned group);
  // The one that was taken last is the next again.
  void PutBack(unsigned group) { --groups_.at(group).head; }

 private:
  struct Group {
    io_uring_buf_ring* ring;
    unsigned count;
    uint16_t head = 0;
  };

  std::map<unsigned, Group> groups_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_BUFFERS_H_
