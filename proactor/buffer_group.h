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

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace proactor {

class BufferGroup {
 public:
  // Requests that are still armed find no buffer any more.
  virtual ~BufferGroup() = default;
  BufferGroup(const BufferGroup&) = delete;
  BufferGroup& operator=(const BufferGroup&) = delete;

  uint16_t number() const { return number_; }
  // How many it can hold at a time.
  unsigned capacity() const { return capacity_; }

  // Behind those that it has.
  void Add(char* memory, size_t size, uint16_t index) {
    // Field by field: the tail of the ring lies in the first entry, where nothing else may be written.
    Entry& entry = entries_[tail_ & (capacity_ - 1)];
    entry.address = reinterpret_cast<uintptr_t>(memory);
    entry.size = static_cast<uint32_t>(size);
    entry.index = index;
    // Release: the kernel may take the buffer once it sees the new tail.
    std::atomic_ref(entries_[0].tail).store(++tail_, std::memory_order_release);
  }

 protected:
  // As the kernel reads it: struct io_uring_buf.
  struct Entry {
    uint64_t address;
    uint32_t size;
    uint16_t index;
    uint16_t tail;  // Of the whole ring, in the first.
  };

  // The capacity is a power of two. There are as many entries.
  BufferGroup(uint16_t number, uint16_t capacity, Entry* entries)
      : entries_(entries), capacity_(capacity), number_(number) {}

  Entry* entries() const { return entries_; }

 private:
  Entry* const entries_;
  const uint16_t capacity_;
  const uint16_t number_;
  uint16_t tail_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BUFFER_GROUP_H_
