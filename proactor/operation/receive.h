// SPDX-License-Identifier: Apache-2.0
//
// ReceiveOp and ReceiveAllOp: what has arrived on a connected socket, in buffers of a pool (recv(2)): one of them, or
// all. ReceiveQueue: what has arrived before anybody asked for it.
//
//   MakeOperation(ReceiveOp{.descriptor = socket, .store = &pool.store()})
//
// In an io_uring that has what it takes, a request stays armed (multishot.h), and the kernel takes a buffer when bytes
// have come. Everywhere else, and while the pool has too few buffers to leave some to the kernel, the operation takes
// one itself, just before it calls recv(2), so that nobody holds one while it waits.
//
// Which size of buffer a stream receives into, is learned from what has come each time that somebody takes it: as much
// as fills a buffer, or more, counts towards the next larger size, which is reached at two in a row; what fits into
// half a buffer of the next smaller size counts towards that, which is reached at 64 in a row; anything else begins
// anew.
#ifndef PROACTOR_OPERATION_RECEIVE_H_
#define PROACTOR_OPERATION_RECEIVE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "proactor/buffer.h"
#include "proactor/buffer_store.h"
#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/feature.h"
#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"
#include "proactor/promise.h"

namespace proactor {

class ReceiveQueue final : public Multishot, public internal::BufferWaiter {
 public:
  using Store = std::shared_ptr<internal::BufferStore>;

  static constexpr int kMuchBeforeLarger = 2;
  static constexpr int kLittleBeforeSmaller = 64;

  // The descriptor's, which there is.
  static ReceiveQueue& Of(const Descriptor& descriptor) { return static_cast<ReceiveQueue&>(*descriptor.multishot); }

  explicit ReceiveQueue(Descriptor& descriptor) : Multishot(descriptor) {}
  ~ReceiveQueue() override;

  // From now on it is for tasks of this loop, and takes buffers from there. False: not yet.
  bool Use(const Store& store, Loop& loop) {
    if (!moving && home == &loop && store_ == store && !store->ended()) [[likely]] {
      return true;
    }
    return UseOther(store, loop);
  }

  // As a multishot request.
  Feature feature() const override { return Feature::kMultishotReceive; }
  void Prepare(io_uring_sqe& entry) override;
  bool Take(int result, int buffer, bool ended) override;
  bool wanted() const override;
  bool HasResult() const override { return !received_.empty() || end_ != kNoEnd; }
  bool HasUnreadBytes() const override { return unread_ > 0; }
  void Lacking() override {
    if (store_ != nullptr) store_->StopProviding();
  }
  void Clear() override;
  void Leaving() override {
    LetGoOfStore();
    over_limit_ = false;
  }
  int Copy(char* to, size_t size) override;

  // By a call: one receive into a buffer of its own. As `Operation::Perform`.
  int Call(System& system);
  // Whether a request would find no buffer, so that it has to be done by a call.
  bool NeedsCall() const { return !armed() && (assigned_ != nullptr || store_->ProvidedFor(size_class_) < 0); }

  // A buffer for whoever stands in the line of the pool.
  void Assign(internal::BufferSlot& slot) override;
  bool StandInLine();
  void LeaveLine();

  // 1 for something received, 0 for the end of the stream, or -errno, which is delivered with that. Only if there
  // `HasResult`.
  int TakeOutcome();
  // The end of the stream, or a failure, that came behind what has been received.
  void EndsWith(int result) { end_ = result; }

  // To whoever awaits it.
  Buffer TakeFirst(const PromiseBase& borrower);
  Buffers TakeAll(const PromiseBase& borrower);

  size_t unread() const { return unread_; }
  // Whether more may be kept unread.
  bool MayHaveMore() const { return memory_ < store_->most_unread(); }
  int size_class() const { return size_class_; }

 private:
  static constexpr int kNoEnd = 1;

  bool UseOther(const Store& store, Loop& loop);
  void Keep(internal::BufferSlot& slot);
  // What is received stays in it.
  void LetGoOfStore();
  // One that takes so much memory.
  void Push(Buffer buffer, size_t memory);
  void Drained();
  // From what has come, before any of it is taken.
  void Learn();

  Store store_;
  Buffers received_;
  internal::BufferSlot* assigned_ = nullptr;  // By the line, for the next call.
  uint32_t unread_ = 0;                       // Bytes,
  uint32_t memory_ = 0;                       // and those of the buffers that they are in.
  int end_ = kNoEnd;                          // What comes behind what is received: 0 or -errno.
  uint8_t size_class_ = 0;                    // That is to be received into.
  uint8_t armed_for_ = 0;                     // The same when the request was armed,
  uint8_t armed_class_ = 0;                   // and that it takes from.
  uint8_t much_in_a_row_ = 0;
  uint8_t little_in_a_row_ = 0;
  bool over_limit_ = false;
};

struct ReceiveOp {
  static constexpr char kName[] = "receive";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = Buffer;  // Empty once the peer has finished sending.

  Descriptor* descriptor;
  const ReceiveQueue::Store* store;

  bool HasResult(Loop& loop) const;
  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  bool Advance(int& result) const;
  bool StandInLine(OperationBase& self, int result) const;
  Buffer ToValue(int result, const PromiseBase& borrower) const;

  ReceiveQueue& queue() const { return ReceiveQueue::Of(*descriptor); }
};

struct ReceiveAllOp : ReceiveOp {
  using Value = Buffers;  // None once the peer has finished sending.

  static constexpr int kMostCalls = 16;

  int Perform(System& system) const;
  Buffers ToValue(int result, const PromiseBase& borrower) const;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_RECEIVE_H_
