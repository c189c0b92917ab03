// SPDX-License-Identifier: Apache-2.0
//
// BufferStore: what a BufferPool is inside: the buffers, who has them, and who waits for one. It lives as long as
// anybody has one.
//
//   BufferSlot* slot = store.Take(size_class);                  // null: wait in the line
//   ReturnBuffer(*slot);                                        // any thread
//
// A buffer that nobody has is provided to the kernel, if requests can take from there (buffer_group.h), or is in a
// stack, so that what was used last, and is warm, is used next. The kernel takes what was provided first, so it gets
// no more than one for each request that is armed, or eight, or half a mebibyte of them. As long as somebody stands in
// the line, each that comes back is for the first there. A few busy streams hold one each (held_buffers.h).
//
// The way back from other threads, with a lock that is held for a few instructions:
//  1. Who returns a buffer puts it on a stack, and sends a message, unless one is on its way.
//  2. The message takes all that is there. It is received, or discarded with the loop.
//  3. When the loop ends, it is taken out of here. From then on buffers are simply put back, by whoever has them.
//
// Threads: the scheduler's, except where it says so.
#ifndef PROACTOR_BUFFER_STORE_H_
#define PROACTOR_BUFFER_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "proactor/buffer.h"
#include "proactor/buffer_group.h"
#include "proactor/context.h"
#include "proactor/held_buffers.h"
#include "proactor/intrusive_list.h"
#include "proactor/promise.h"
#include "proactor/remote_message.h"
#include "proactor/thread_mark.h"

namespace proactor {

struct BufferPoolOptions {
  size_t smallest = 4096;                  // Bytes; 64 at least.
  size_t largest = size_t{64} << 10;       // Bytes; as many as `smallest` for one size only.
  size_t most_bytes = size_t{64} << 20;    // Of all buffers; one of the largest at least. Each size but the
                                           // largest has an equal share of it at most.
  size_t most_unread = size_t{256} << 10;  // Of memory, for one stream.
};
static_assert(std::is_trivially_destructible_v<BufferPoolOptions>);

struct BufferPoolUsage {
  size_t bytes = 0;  // Of all buffers that there are.
  int buffers = 0;   // How many.
  int on_loan = 0;   // Of these, with those who received into them.
  int received = 0;  // With bytes that nobody has asked for yet.
  int provided = 0;  // With the kernel, to receive into.
  int held = 0;      // By receives that wait, of busy streams.
  int waiting = 0;   // Receives that wait for a buffer.
};

namespace internal {

// Who waits for a buffer.
class BufferWaiter : public ListNode<BufferWaiter> {
 public:
  // It is the waiter's now, who is not in the line any more.
  virtual void Assign(BufferSlot& slot) = 0;
  virtual void GiveUp() = 0;  // What it holds, and has not needed for long, soon.

 protected:
  ~BufferWaiter() = default;
};

class BufferStore final : public RemoteMessage, public LoopWatcher {
 public:
  explicit BufferStore(const BufferPoolOptions& options);
  ~BufferStore();

  // Whoever receives is a task of this loop. Ends the process if the pool belongs to another one.
  void Use(Loop& loop) {
    if (loop_ != &loop || loop_ended_) [[unlikely]]
      Bind(loop);
  }
  // Whether its loop has ended, though another may lie where that did.
  bool ended() const { return loop_ended_; }

  int size_classes() const { return static_cast<int>(classes_.size()); }
  size_t SizeOf(int size_class) const { return classes_[static_cast<size_t>(size_class)].size; }
  // Of whatever store it is.
  static size_t MemoryOf(const Buffer& buffer) { return buffer.slot_->store->SizeOf(buffer.slot_->size_class); }

  // How much memory may be unread of one stream. The less there is for others, the less, so that there always is some.
  size_t most_unread() const { return std::min(options_.most_unread, (options_.most_bytes - out_bytes_) / kShares); }

  // A buffer of this size, or of another where there is none of it. Null when there is none, or others are before.
  BufferSlot* Take(int size_class);
  // A buffer that was not used, or whose bytes have been read. The scheduler's thread, in any case after its end.
  void PutBack(BufferSlot& slot);

  // A buffer of this size to hold while an operation waits, for those who may. Null when there is none.
  BufferSlot* Hold(int size_class);
  HeldBuffers& held() { return held_; }

  // The size to arm a request for, so that it finds a buffer of `size_class` or else of another. -1: it would find
  // none, or requests cannot take any here.
  int ProvidedFor(int size_class);
  // A request begins that takes buffers of this size; and ends. Yields the number of their group.
  uint16_t BeginRequest(int size_class);
  void EndRequest(int size_class);
  // What a request has taken, and received so many bytes into.
  Buffer TakeProvided(int size_class, int index, size_t size);
  // A request has found no buffer of this size.
  void RanOut(int size_class);
  // Requests cannot take any after all. None may be armed.
  void StopProviding();

  Buffer Received(BufferSlot& slot, size_t size);
  // To whoever awaits it.
  void Lend(const Buffer& buffer, const PromiseBase& borrower) {
    if (buffer.slot_ != nullptr) Lend(*buffer.slot_, borrower);
  }
  void Lend(const Buffers& buffers, const PromiseBase& borrower);

  void StandInLine(BufferWaiter& waiter) { line_.PushBack(waiter); }

  BufferPoolUsage usage() const;
  std::string Dump() const;
  // Whoever keeps it lets go, and bytes may be in it that are somebody's. Any thread.
  static void LetGo(std::shared_ptr<BufferStore> store);
  // The pool's owner has gone.
  void PoolEnds(const std::shared_ptr<BufferStore>& self);

  void Receive() override;
  void Discard() override;
  void LoopEnds() override;

 private:
  friend void ReturnBuffer(BufferSlot& slot);

  static constexpr size_t kShares = 4;
  static constexpr unsigned kMostProvided = 1024;  // At a time, of a size.
  struct Dropped;

  struct SizeClass {
    size_t size = 0;
    std::unique_ptr<BufferGroup> group;  // Null unless requests take buffers of this size.
    bool refused = false;                // The group.
    unsigned provided = 0;
    unsigned enough = 0;  // To be provided.
    unsigned armed = 0;   // Requests.
    BufferSlot* free = nullptr;
    std::vector<BufferSlot*> slots;  // By their index.
    void CountRequests(unsigned count);
  };
  struct Chunk {
    char* memory;
    size_t size;
    std::unique_ptr<BufferSlot[]> slots;
  };

  void Bind(Loop& loop);
  void Lend(BufferSlot& slot, const PromiseBase& borrower) {
    slot.state = BufferSlot::kOnLoan;
    slot.borrower = borrower.where();
    slot.since = loop_->RoughlyNow();
  }
  void ReturnFromElsewhere(BufferSlot& slot);
  void StayUntilAllIsBack(const std::shared_ptr<BufferStore>& self);
  // More buffers of a size; false at the bound.
  bool Grow(SizeClass& size_class);
  void MakeFree(SizeClass& size_class, BufferSlot& slot);
  BufferSlot* TakeFree(SizeClass& size_class);
  // Provides those that are free, but for one.
  void ProvideEnough(SizeClass& size_class);
  void CountOut(BufferSlot& slot);

  const BufferPoolOptions options_;
  Loop* loop_ = nullptr;
  ThreadMark thread_;  // The loop's.
  std::vector<SizeClass> classes_;
  std::vector<Chunk> chunks_;
  bool by_call_ = false;  // Requests cannot take buffers.
  size_t bytes_ = 0;      // Of all that there are.
  size_t out_bytes_ = 0;  // Of those that are received into, or on loan.
  HeldBuffers held_;
  IntrusiveList<BufferWaiter> line_;
  std::shared_ptr<BufferStore> self_;  // While the pool's owner has gone, and not all is back.

  std::mutex mutex_;
  bool loop_ended_ = false;         // With the lock, and on the loop's thread without.
  bool on_its_way_ = false;         // The message. With the lock.
  BufferSlot* returned_ = nullptr;  // From other threads. With the lock.
};

}  // namespace internal

}  // namespace proactor

#endif  // PROACTOR_BUFFER_STORE_H_
