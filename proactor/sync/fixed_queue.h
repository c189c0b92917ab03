// SPDX-License-Identifier: Apache-2.0
//
// A FIFO of at most so many values, in memory that is allocated once.
//
//   FixedQueue<Message> queue(16);
//   if (!queue.full()) queue.Push(std::move(message));
//   Message oldest = std::move(queue.front());
//   queue.Pop();
//
// The values need no default constructor, only a move. None of these looks whether there is room, or anything to take.
//
// Threads: one at a time.
#ifndef PROACTOR_SYNC_FIXED_QUEUE_H_
#define PROACTOR_SYNC_FIXED_QUEUE_H_

#include <cstddef>
#include <memory>
#include <utility>

namespace proactor::internal {

template <class T>
class FixedQueue {
 public:
  explicit FixedQueue(size_t capacity)
      : slots_(capacity > 0 ? std::allocator<T>().allocate(capacity) : nullptr), capacity_(capacity) {}
  ~FixedQueue() {
    while (!empty()) Pop();
    if (slots_ != nullptr) std::allocator<T>().deallocate(slots_, capacity_);
  }
  FixedQueue(const FixedQueue&) = delete;
  FixedQueue& operator=(const FixedQueue&) = delete;

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == capacity_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

  // The value at `index`, counted from the oldest.
  T& operator[](size_t index) { return slots_[Slot(index)]; }
  T& front() { return slots_[first_]; }

  void Push(T&& value) {
    std::construct_at(slots_ + Slot(size_), std::move(value));
    ++size_;
  }
  void Pop() {
    std::destroy_at(slots_ + first_);
    if (++first_ == capacity_) first_ = 0;
    --size_;
  }

 private:
  size_t Slot(size_t index) const {
    size_t slot = first_ + index;
    return slot < capacity_ ? slot : slot - capacity_;
  }

  T* const slots_;
  const size_t capacity_;
  size_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace proactor::internal

#endif  // PROACTOR_SYNC_FIXED_QUEUE_H_
