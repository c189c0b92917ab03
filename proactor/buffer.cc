// SPDX-License-Identifier: Apache-2.0
#include "proactor/buffer.h"

namespace proactor {

Buffer Buffers::PopFront() {
  if (empty()) return Buffer();
  internal::BufferSlot& slot = *first_;
  first_ = std::exchange(slot.next, nullptr);
  if (first_ == nullptr) last_ = nullptr;
  --count_;
  return Buffer(slot);
}

void Buffers::PushBack(Buffer buffer) {
  if (buffer.empty()) return;
  internal::BufferSlot* slot = std::exchange(buffer.slot_, nullptr);
  (last_ != nullptr ? last_->next : first_) = slot;
  last_ = slot;
  ++count_;
}

void Buffers::Append(Buffers&& others) {
  if (others.empty()) return;
  (last_ != nullptr ? last_->next : first_) = others.first_;
  last_ = others.last_;
  count_ += others.count_;
  others.first_ = others.last_ = nullptr;
  others.count_ = 0;
}

}  // namespace proactor
