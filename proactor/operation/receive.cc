// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/receive.h"

#include <liburing.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proactor/operation/handover.h"
#include "proactor/proactor.h"

namespace proactor {

using internal::BufferSlot;
using internal::BufferStore;

bool ReceiveQueue::UseOther(const Store& store, Loop& loop) {
  if (ComesFromElsewhere(*this, loop)) return false;
  store->Use(loop);
  if (store_ != store) {
    if (armed()) descriptor().StopWatching();  // It takes from another pool.
    EndOneByOne();
    LetGoOfStore();
    store_ = store;
    size_class_ = std::min<uint8_t>(size_class_, static_cast<uint8_t>(store->size_classes() - 1));
  }
  return true;
}

void ReceiveQueue::LetGoOfStore() {
  if (store_ != nullptr) BufferStore::LetGo(std::move(store_));
}

ReceiveQueue::~ReceiveQueue() {
  LeaveLine();
  Clear();
  LetGoOfStore();
}

// --- By a request of the kernel's. ---

void ReceiveQueue::Prepare(io_uring_sqe& entry) {
  armed_for_ = size_class_;
  armed_class_ = static_cast<uint8_t>(std::max(store_->ProvidedFor(size_class_), 0));
  io_uring_prep_recv(&entry, descriptor().number, nullptr, 0, 0);
  entry.ioprio |= IORING_RECV_MULTISHOT;
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = store_->BeginRequest(armed_class_);
}

inline void ReceiveQueue::Push(Buffer buffer, size_t memory) {
  unread_ += static_cast<uint32_t>(buffer.size());
  memory_ += static_cast<uint32_t>(memory);
  if (!MayHaveMore()) over_limit_ = true;
  received_.PushBack(std::move(buffer));
}

bool ReceiveQueue::Take(int result, int buffer, bool ended) {
  if (buffer >= 0) {
    size_t size = static_cast<size_t>(std::max(result, 0));
    Push(store_->TakeProvided(armed_class_, buffer, size), size > 0 ? store_->SizeOf(armed_class_) : 0);
  }
  if (!ended) [[likely]] {
    return !over_limit_;
  }
  store_->EndRequest(armed_class_);
  if (result == -ENOBUFS) {
    home->counters.out_of_buffers.Add();
    store_->RanOut(armed_class_);
  } else if (result <= 0 && result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
    end_ = result;
  }
  return wanted();
}

// One that is armed stays so when the pool gets short of buffers: it ends by itself.
bool ReceiveQueue::wanted() const {
  if (store_ == nullptr || one_by_one() || end_ != kNoEnd || over_limit_ || assigned_ != nullptr ||
      BufferWaiter::linked())
    return false;
  return armed() ? armed_for_ == size_class_ : store_->ProvidedFor(size_class_) >= 0;
}

void ReceiveQueue::Lacking() {
  if (store_ != nullptr) store_->StopProviding();
}

void ReceiveQueue::BecomeBusy() {
  operations_ = 0;
  home->proactor.BecameBusy(*this);
}

// --- One by one. ---

void ReceiveQueue::BeginOneByOne() {
  internal::HeldBuffers& held = store_->held();
  place_ = static_cast<int8_t>(held.Begin(*this, store_->SizeOf(size_class_), Turn()));
  if (!one_by_one()) {
    // For whoever asks next. This one does again when it has found something there 256 times more.
    if (BufferWaiter* idle = held.Idle(Turn()); idle != nullptr) idle->GiveUp();
    return;
  }
  in_a_row_ = late_ = 0;
  home->proactor.Adjust(*this);
}

void ReceiveQueue::EndOneByOne() {
  if (one_by_one()) store_->held().End(std::exchange(place_, int8_t{-1}));
}

// Nobody else's operation is touched: while one of this stream holds a buffer, it has the slot, or who closes the
// descriptor has, and waits for it.
void ReceiveQueue::GiveUp() {
  if (!holds_) return EndOneByOne();
  descriptor().reading->Interrupt();
}

BufferSlot* ReceiveQueue::Hold() {
  if (!one_by_one() || armed() || HasResult()) return nullptr;
  BufferSlot* slot = store_->Hold(size_class_);
  holds_ = slot != nullptr;
  if (holds_) {
    store_->held().Ask(place_, Turn());
  } else {
    EndOneByOne();
  }
  return slot;
}

int ReceiveQueue::TakeHeld(BufferSlot& slot, int result, bool at_once) {
  if (!at_once) late_ += kLate;
  size_t size = store_->SizeOf(slot.size_class);
  bool full = result > 0 && static_cast<size_t>(result) == size;
  in_a_row_ = full ? in_a_row_ + 1 : 0;
  bool much = full && (!IsLargest(slot.size_class) || in_a_row_ == kFullBeforeAhead);
  if (much || late_ >= kTooLate || result == -ECANCELED) EndOneByOne();
  if (result > 0) {
    Push(store_->Received(slot, static_cast<size_t>(result)), size);
    return TakeOutcome();
  }
  store_->PutBack(slot);
  return result != -ECANCELED ? result : -EINTR;  // Somebody needs its place; or its scope was cancelled.
}

// --- By a call. ---

int ReceiveQueue::Call(System& system) {
  BufferSlot* slot = assigned_ != nullptr ? std::exchange(assigned_, nullptr) : store_->Take(size_class_);
  // Whoever has nothing to receive does not stand in the line.
  if (slot == nullptr) return system.Poll(descriptor().number, POLLIN) > 0 ? -ENOBUFS : -EAGAIN;
  size_t size = store_->SizeOf(slot->size_class);
  int result = system.Receive(descriptor().number, slot->memory, size);
  if (result == -EINTR) {  // It is asked for again, and has not lost its place in the line.
    Keep(*slot);
    return result;
  }
  if (result <= 0) {
    store_->PutBack(*slot);
    return result;
  }
  if (static_cast<size_t>(result) < size) descriptor().MarkShortRead(system);
  Push(store_->Received(*slot, static_cast<size_t>(result)), size);
  return result;
}

void ReceiveQueue::Assign(BufferSlot& slot) {
  Keep(slot);
  descriptor().reading->EndPause(-EINTR);
}

// For a call that is made in any case, or a descriptor that has nothing would keep it.
void ReceiveQueue::Keep(BufferSlot& slot) {
  assigned_ = &slot;
  if (descriptor().readable == ReadyState::kNo) descriptor().readable = ReadyState::kYes;
}

bool ReceiveQueue::StandInLine() {
  if (store_->ProvidedFor(size_class_) >= 0) return false;
  // One may have come back since the call that found none.
  if (BufferSlot* slot = store_->Take(size_class_); slot != nullptr) {
    Keep(*slot);
    return false;
  }
  store_->StandInLine(*this);
  return true;
}

void ReceiveQueue::LeaveLine() {
  BufferWaiter::Unlink();
  if (assigned_ != nullptr) store_->PutBack(*std::exchange(assigned_, nullptr));
}

// --- What has been received. ---

inline void ReceiveQueue::Drained() {
  if (!over_limit_ || memory_ > store_->most_unread() / 2) return;
  over_limit_ = false;
  home->proactor.Adjust(*this);
}

inline void ReceiveQueue::Learn() {
  bool much = unread_ >= store_->SizeOf(size_class_);
  bulk_ = IsLargest(size_class_) ? unread_ > store_->SizeOf(size_class_) : much;
  bool little = size_class_ > 0 && unread_ <= store_->SizeOf(size_class_ - 1) / 2;
  much_in_a_row_ = much ? much_in_a_row_ + 1 : 0;
  little_in_a_row_ = little ? little_in_a_row_ + 1 : 0;
  if (much_in_a_row_ < kMuchBeforeLarger && little_in_a_row_ < kLittleBeforeSmaller) [[likely]] {
    return;
  }
  much_in_a_row_ = little_in_a_row_ = 0;
  if (much && IsLargest(size_class_)) return;
  size_class_ = static_cast<uint8_t>(much ? size_class_ + 1 : size_class_ - 1);
  if (armed()) home->proactor.Adjust(*this);
}

void ReceiveQueue::Clear() {
  received_.Clear();
  unread_ = memory_ = 0;
}

int ReceiveQueue::TakeOutcome() { return received_.empty() ? std::exchange(end_, kNoEnd) : 1; }

inline Buffer ReceiveQueue::TakeFirst(const PromiseBase& borrower) {
  Learn();
  Buffer buffer = received_.PopFront();
  store_->Lend(buffer, borrower);
  unread_ -= static_cast<uint32_t>(buffer.size());
  memory_ -= static_cast<uint32_t>(BufferStore::MemoryOf(buffer));
  Drained();
  return buffer;
}

inline Buffers ReceiveQueue::TakeAll(const PromiseBase& borrower) {
  Learn();
  Buffers buffers = std::move(received_);
  store_->Lend(buffers, borrower);
  unread_ = memory_ = 0;
  Drained();
  return buffers;
}

int ReceiveQueue::Copy(char* to, size_t size) {
  if (received_.empty()) return std::exchange(end_, kNoEnd);
  size = std::min(size, kLargestTransfer);
  size_t copied = 0;
  Buffers rest;
  while (copied < size && !received_.empty()) {
    Buffer buffer = received_.PopFront();
    size_t count = std::min(buffer.size(), size - copied);
    std::memcpy(to + copied, buffer.data(), count);
    copied += count;
    buffer.RemovePrefix(count);
    if (buffer.empty()) memory_ -= static_cast<uint32_t>(BufferStore::MemoryOf(buffer));
    rest.PushBack(std::move(buffer));
  }
  rest.Append(std::move(received_));
  received_ = std::move(rest);
  unread_ -= static_cast<uint32_t>(copied);
  Drained();
  return static_cast<int>(copied);
}

// --- The operations. ---

bool ReceiveOp::HasResult(Loop& loop) const {
  if (descriptor->multishot == nullptr) descriptor->multishot = new ReceiveQueue(*descriptor);
  if (descriptor->reading != nullptr) return false;  // A mistake, or it is being closed: that will be said.
  if (!queue().Use(*store, loop)) return false;
  bool has_result = queue().HasResult();
  queue().Ask(has_result);
  return has_result;
}

void ReceiveOp::Prepare(io_uring_sqe& entry) {
  if (held == nullptr && !queue().moving) held = queue().Hold();
  if (held != nullptr) {
    return io_uring_prep_recv(&entry, descriptor->number, held->memory, (*store)->SizeOf(held->size_class), 0);
  }
  entry.opcode = kNoOpcode;
  if (!queue().moving && !queue().NeedsCall()) entry.user_data = reinterpret_cast<uintptr_t>(descriptor->multishot);
}

int ReceiveOp::Perform(System& system) { return queue().moving ? -EXDEV : queue().Call(system); }

bool ReceiveOp::Advance(int& result) {
  if (held != nullptr) {
    bool at_once = queue().Answer();
    // Nothing is to be learned from what is usual.
    bool usual = at_once && result > 0 && held->size_class == 0 && static_cast<size_t>(result) < (*store)->SizeOf(0);
    if (!usual) result = queue().TakeHeld(*std::exchange(held, nullptr), result, at_once);
    return true;
  }
  if (IsElsewhere(&queue(), result)) return false;
  queue().Use(*store, *queue().home);  // It may have come from elsewhere meanwhile.
  if (result == -ECANCELED) queue().LeaveLine();
  if (queue().HasResult()) result = queue().TakeOutcome();
  return result != -ENOBUFS;
}

bool ReceiveOp::StandInLine(OperationBase& self, int result) const {
  if (result == -EXDEV) return WaitForHandover(queue(), self);
  if (result != -ENOBUFS || !self.MayPause() || !queue().StandInLine()) return false;
  self.loop().counters.receives_parked.Add();
  self.BeginPause();
  return true;
}

inline Buffer ReceiveOp::TakeHeld(int result, const PromiseBase& borrower) const {
  Buffer buffer = (*store)->Received(*held, static_cast<size_t>(result));
  (*store)->Lend(buffer, borrower);
  return buffer;
}

Buffer ReceiveOp::ToValue(int result, const PromiseBase& borrower) const {
  if (held != nullptr) return TakeHeld(result, borrower);
  return result == 0 ? Buffer() : queue().TakeFirst(borrower);
}

int ReceiveAllOp::Perform(System& system) {
  int result = ReceiveOp::Perform(system);
  if (result <= 0) return result;
  // What else there is. Only the kernel knows when that is all, unless it says so by a short read.
  for (int calls = 1; calls < kMostCalls && queue().MayHaveMore(); ++calls) {
    if (descriptor->readable == ReadyState::kNo) break;
    int more = queue().Call(system);
    if (more == -EAGAIN) descriptor->MarkShortRead(system);
    if (more > 0 || more == -EINTR) continue;
    if (more != -EAGAIN && more != -ENOBUFS) queue().EndsWith(more);
    break;
  }
  queue().LeaveLine();
  return result;
}

Buffers ReceiveAllOp::ToValue(int result, const PromiseBase& borrower) const {
  if (held != nullptr) return Buffers(TakeHeld(result, borrower));
  return result == 0 ? Buffers() : queue().TakeAll(borrower);
}

}  // namespace proactor
