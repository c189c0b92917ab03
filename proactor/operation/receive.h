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
// A request that stays armed costs a wake-up for each result. On a busy server something mostly has come by the time
// that it is asked for: then asking the kernel each time is cheaper, and nothing is received ahead (`one_by_one`). So a
// stream goes over to that when four results in a row were there before they were asked for, and none filled its
// buffer, or more than the largest. It goes back when a third of the results are not there by the next turn, one fills
// its buffer, or 64 in a row the largest (to see what comes behind), a receive is cancelled, the pool is short of
// buffers, or others need its place (held_buffers.h).
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

class ReceiveQueue final : public internal::BufferWaiter, public Multishot {
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
  void Lacking() override;
  void Clear() override;
  void Forgotten() override { EndOneByOne(); }
  void Leaving() override {
    LetGoOfStore();
    over_limit_ = false;
  }
  int Copy(char* to, size_t size) override;

  // By a call: one receive into a buffer of its own. As `Operation::Perform`.
  int Call(System& system);
  // Whether a request would find no buffer, so that it has to be done by a call.
  bool NeedsCall() const { return !armed() && (assigned_ != nullptr || store_->ProvidedFor(size_class_) < 0); }

  // One by one. Before each operation, with whether something is there for it.
  void Ask(bool has_result) {
    if (registered < 0 && ++operations_ == kBusy) BecomeBusy();
    if (one_by_one()) {
      late_ -= late_ > 0 ? 1 : 0;
    } else {
      in_a_row_ = has_result && armed() && !bulk_ ? in_a_row_ + 1 : 0;
      if (in_a_row_ == kEarlyBeforeOneByOne) [[unlikely]]
        BeginOneByOne();
    }
  }
  // A buffer for the operation to hold while it waits. Null: not this time.
  internal::BufferSlot* Hold();
  // Whether a result came at once.
  bool Answer() {
    holds_ = false;
    return store_->held().Answer(place_, Turn());
  }
  // What came into it, or -errno. Yields what the operation is to look at: 1, 0 at the end of the stream, or -errno.
  int TakeHeld(internal::BufferSlot& slot, int result, bool at_once);
  void GiveUp() override;

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

  // Whether more may be kept unread.
  bool MayHaveMore() const { return memory_ < store_->most_unread(); }
  int size_class() const { return size_class_; }

 private:
  static constexpr int kNoEnd = 1;
  static constexpr int kEarlyBeforeOneByOne = 4;
  static constexpr int kLate = 3, kTooLate = 12;  // One that is waited for counts three; each operation takes off one.
  static constexpr int kBusy = 16;  // Operations: who has had so many, will have more.
  static constexpr int kFullBeforeAhead = 64;

  bool IsLargest(int size_class) const { return size_class + 1 == store_->size_classes(); }
  void BecomeBusy();
  bool one_by_one() const { return place_ >= 0; }
  uint32_t Turn() const { return static_cast<uint32_t>(home->counters.turns.value()); }
  void BeginOneByOne();
  void EndOneByOne();
  bool UseOther(const Store& store, Loop& loop);
  void Keep(internal::BufferSlot& slot);
  // What is received stays in it.
  void LetGoOfStore();
  void Push(Buffer buffer, size_t memory);  // One that takes so much memory.
  void Drained();
  // From what has come, before any of it is taken.
  void Learn();

  uint8_t size_class_ = 0;   // That is to be received into.
  uint8_t armed_for_ = 0;    // The same when the request was armed,
  uint8_t armed_class_ = 0;  // and that it takes from.
  uint8_t much_in_a_row_ : 2 = 0;
  uint8_t operations_ : 6 = 0;  // While its file is not registered.
  uint8_t little_in_a_row_ = 0;
  uint8_t in_a_row_ = 0;  // That were early; or, one by one, that filled the largest buffer.
  uint8_t late_ : 4 = 0;
  bool holds_ : 1 = false;  // A buffer: its operation does, which is in flight.
  bool over_limit_ : 1 = false;
  bool bulk_ : 1 = false;  // There was too much for the last operation to ask for it each time.
  int8_t place_ = -1;  // Among those who may hold a buffer, one by one.
  int end_ = kNoEnd;  // What comes behind what is received: 0 or -errno.
  Store store_;
  Buffers received_;
  uint32_t unread_ = 0;                       // Bytes,
  uint32_t memory_ = 0;                       // and those of the buffers that they are in.
  internal::BufferSlot* assigned_ = nullptr;  // By the line, for the next call.
};

struct ReceiveOp {
  static constexpr char kName[] = "receive";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = Buffer;  // Empty once the peer has finished sending.

  Descriptor* descriptor;
  const ReceiveQueue::Store* store;
  internal::BufferSlot* held = nullptr;  // That the kernel receives into, for this operation alone.

  bool HasResult(Loop& loop) const;
  void Prepare(io_uring_sqe& entry);
  int Perform(System& system);
  bool Advance(int& result);
  bool StandInLine(OperationBase& self, int result) const;
  Buffer ToValue(int result, const PromiseBase& borrower) const;

  ReceiveQueue& queue() const { return ReceiveQueue::Of(*descriptor); }

 protected:
  // What came into what it holds, lent.
  Buffer TakeHeld(int result, const PromiseBase& borrower) const;
};

struct ReceiveAllOp : ReceiveOp {
  using Value = Buffers;  // None once the peer has finished sending.
  static constexpr int kMostCalls = 16;

  int Perform(System& system);
  Buffers ToValue(int result, const PromiseBase& borrower) const;
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_RECEIVE_H_
