// SPDX-License-Identifier: Apache-2.0
//
// BufferGroup: buffers of one size that requests take by themselves, when something has come, instead of each holding
// one while it waits: a ring of provided buffers (io_uring_register(2), IORING_REGISTER_PBUF_RING, Linux 5.19).
//
//   std::unique_ptr<BufferGroup> group = proactor.MakeBufferGroup(1024);   // null where there is no such thing
//   group->Add(memory, size, index);
//   group->number();                                                       // for the entry of a request
//
// A completion says which buffer was taken, by its index. The group may outlive its proactor, and is then of no use.
//
// Threads: the proactor's.
#ifndef PROACTOR_BUFFER_GROUP_H_
#define PROACTOR_BUFFER_GROUP_H_

#include <cstddef>
#include <cstdint>

namespace proactor {

class BufferGroup {
 public:
  // Requests that are still armed find no buffer any more.
  virtual ~BufferGroup() = default;

  virtual uint16_t number() const = 0;
  // How many it can hold at a time.
  virtual unsigned capacity() const = 0;
  // Behind those that it has.
  virtual void Add(char* memory, size_t size, uint16_t index) = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BUFFER_GROUP_H_
