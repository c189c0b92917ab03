// SPDX-License-Identifier: Apache-2.0
//
// Buffer: bytes in memory of a pool, on loan (buffer_pool.h); Buffers: several of them, one after the other.
//
//   Buffer chunk = co_await Try(stream.Receive(pool));
//   Parse(chunk.view());
//   chunk.RemovePrefix(4);                            // what has been dealt with
//   co_await Try(stream.WriteAll(chunk));             // and gives it back at the end of the scope
//
//   Buffers chunks = co_await Try(stream.ReceiveAll(pool));
//   for (std::string_view bytes : chunks) Parse(bytes);
//
// Whoever has one may read and change its bytes, hand it on, keep it for as long as is needed, and drop it on any
// thread. Move-only. One that was moved from, or that says that a stream has ended, is empty.
//
// Threads: one at a time.
#ifndef PROACTOR_BUFFER_H_
#define PROACTOR_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <source_location>
#include <span>
#include <string_view>
#include <utility>

#include "proactor/monotonic_time.h"
#include "proactor/promise.h"

namespace proactor {

namespace internal {

class BufferStore;

// What is known of one buffer of a pool: a cache line.
struct BufferSlot {
  enum State : uint8_t {
    kFree,
    kProvided,  // The kernel may write into it, for any request of its group,
    kHeld,      // or for one operation.
    kReceived,  // Has bytes that nobody has asked for yet.
    kOnLoan,
  };

  BufferStore* store = nullptr;
  char* memory = nullptr;
  uint32_t begin = 0;  // Of what is left of its bytes.
  uint32_t size = 0;
  uint16_t index = 0;
  uint8_t size_class = 0;
  State state = kFree;
  BufferSlot* next = nullptr;
  std::source_location borrower;  // On loan: who awaited it, and since when.
  MonotonicTime since;

  std::string_view view() const { return {memory + begin, size}; }
};
static_assert(sizeof(BufferSlot) <= 64);

// Gives a buffer back. Any thread.
void ReturnBuffer(BufferSlot& slot);

}  // namespace internal

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    std::swap(slot_, taken.slot_);
    return *this;
  }
  ~Buffer() {
    if (slot_ != nullptr) internal::ReturnBuffer(*slot_);
  }

  char* data() const { return slot_ != nullptr ? slot_->memory + slot_->begin : nullptr; }
  size_t size() const { return slot_ != nullptr ? slot_->size : 0; }
  bool empty() const { return size() == 0; }
  std::span<char> span() const { return {data(), size()}; }
  std::string_view view() const { return {data(), size()}; }
  operator std::string_view() const { return view(); }

  // Lets go of the first `count` bytes; all if there are not more.
  void RemovePrefix(size_t count) {
    if (slot_ == nullptr) return;
    uint32_t removed = count < slot_->size ? static_cast<uint32_t>(count) : slot_->size;
    slot_->begin += removed;
    slot_->size -= removed;
  }

 private:
  friend class Buffers;
  friend class internal::BufferStore;
  explicit Buffer(internal::BufferSlot& slot) : slot_(&slot) {}

  internal::BufferSlot* slot_ = nullptr;
};

class Buffers {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    std::string_view operator*() const { return slot_->view(); }
    Iterator& operator++() {
      slot_ = slot_->next;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    friend class Buffers;
    explicit Iterator(const internal::BufferSlot* slot) : slot_(slot) {}
    const internal::BufferSlot* slot_ = nullptr;
  };

  Buffers() = default;
  explicit Buffers(Buffer buffer) { PushBack(std::move(buffer)); }
  Buffers(Buffers&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        count_(std::exchange(other.count_, 0)) {}
  Buffers& operator=(Buffers&& other) noexcept {
    Buffers taken(std::move(other));
    std::swap(first_, taken.first_);
    std::swap(last_, taken.last_);
    std::swap(count_, taken.count_);
    return *this;
  }
  ~Buffers() { Clear(); }

  bool empty() const { return first_ == nullptr; }
  // How many buffers.
  size_t count() const { return count_; }
  // How many bytes: it has to count.
  size_t bytes() const {
    size_t sum = 0;
    for (std::string_view bytes : *this) sum += bytes.size();
    return sum;
  }
  Iterator begin() const { return Iterator(first_); }
  Iterator end() const { return Iterator(nullptr); }

  // The first one; an empty one if there is none.
  Buffer PopFront() {
    if (empty()) return Buffer();
    internal::BufferSlot& slot = *first_;
    first_ = std::exchange(slot.next, nullptr);
    if (first_ == nullptr) last_ = nullptr;
    --count_;
    return Buffer(slot);
  }
  // Empty ones are dropped.
  void PushBack(Buffer buffer) {
    if (buffer.empty()) return;
    internal::BufferSlot* slot = std::exchange(buffer.slot_, nullptr);
    (last_ != nullptr ? last_->next : first_) = slot;
    last_ = slot;
    ++count_;
  }
  void Append(Buffers&& others) {
    if (others.empty()) return;
    (last_ != nullptr ? last_->next : first_) = others.first_;
    last_ = others.last_;
    count_ += others.count_;
    others.first_ = others.last_ = nullptr;
    others.count_ = 0;
  }
  void Clear() {
    while (!empty()) PopFront();
  }

 private:
  friend class internal::BufferStore;

  internal::BufferSlot* first_ = nullptr;
  internal::BufferSlot* last_ = nullptr;
  uint32_t count_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BUFFER_H_
