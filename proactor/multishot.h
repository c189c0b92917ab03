// SPDX-License-Identifier: Apache-2.0
//
// Multishot: all that a proactor sees of a request that goes on after a result: it is armed once on a descriptor, and
// what comes is kept until an operation asks for it.
//
//   descriptor.multishot = new ReceiveQueue(descriptor, ...);   // by an operation; the descriptor owns it
//   entry.user_data = reinterpret_cast<uintptr_t>(descriptor.multishot);   // in `Prepare`: wait for this one instead
//
// The protocol between who keeps the results (a class derived from this) and the proactor that arms it:
//  1. The proactor arms it when an operation has come that waits for it, and tells it of each result (`Take`).
//  2. After that, and whenever something has changed (`Proactor::Adjust`), it asks whether it is `wanted`. An armed one
//     that is not is cancelled, one that has ended and is, is armed again. So what ends it, and why, matters to nobody:
//     the kernel may do so for no reason.
//  3. It has ended when a result says so, and not before. Until then it stays where it is: a descriptor that is dropped
//     meanwhile is taken over by the proactor (`DescriptorWatcher::TakeOver`), which closes it then.
//  4. Another scheduler's operation asks the one where it is armed to end it first (operation/handover.h).
//  5. An operation that waits is completed as soon as there `HasResult`, or when it has ended and is not wanted.
//     Cancelling that operation cancels nothing else: what comes is kept for the next one, so nothing is lost.
//
// Threads: those of `home`. That of another loop asks there first, unless nothing can be armed there.
#ifndef PROACTOR_MULTISHOT_H_
#define PROACTOR_MULTISHOT_H_

#include <cstdint>

#include "proactor/feature.h"
#include "proactor/intrusive_list.h"

struct io_uring_sqe;

namespace proactor {

struct Descriptor;
struct Loop;
class OperationBase;

class Multishot : public ListNode<Multishot> {
 public:
  virtual ~Multishot() = default;

  // Without it, operations do not wait for this but are submitted as they prepared themselves.
  virtual Feature feature() const = 0;

  // Describes the request, in an entry that is all zero.
  virtual void Prepare(io_uring_sqe& entry) = 0;

  // Takes a result or -errno, and the number of the provided buffer that it came in, or -1. `ended`: it was the last.
  // Yields whether it is `wanted` now.
  virtual bool Take(int result, int buffer, bool ended) = 0;

  // Whether it is to be armed, or to stay so.
  virtual bool wanted() const = 0;

  // Whether there is something for an operation to take.
  virtual bool HasResult() const = 0;

  // Whether bytes have come that nobody has read. A socket that is closed over some resets its connection (tcp(7)).
  virtual bool HasUnreadBytes() const = 0;

  // Its descriptor is closed: lets go of what nobody will ask for any more.
  virtual void Clear() {}

  // It is about to go to another loop; on the thread of this one, or, unless it is armed, of that one.
  virtual void Leaving() {}

  // The proactor has forgotten its descriptor, and does nothing more for it.
  virtual void Forgotten() {}

  // The kernel lacks the feature after all.
  virtual void Lacking() {}

  // Whether the request is wrong (EINVAL) for its descriptor, and would be on a kernel that has the feature.
  virtual bool DescriptorIsWrong() const { return false; }

  // Reads what is kept into memory of the caller's: how many bytes, 0 at the end of the stream, or -errno. Only where
  // there `HasResult`.
  virtual int Copy(char* to, size_t size) = 0;

  Descriptor& descriptor() const { return descriptor_; }
  bool armed() const { return (backend_state & kArmed) != 0; }

  OperationBase* moving_for = nullptr;  // Who waits until it has moved from one loop to another: see handover.h.
  // Not who has the slot: that may be one of another loop, which waits to get this.
  OperationBase* waiting = nullptr;

 protected:
  explicit Multishot(Descriptor& descriptor) : descriptor_(descriptor) {}

 private:
  Descriptor& descriptor_;

 public:
  // What each operation looks at, at the end, beside what a derived class has of that.
  Loop* home = nullptr;  // Where it was armed last, or is to be.
  bool moving = false;
  uint8_t backend_state = 0;  // Reserved for the proactor, as is `waiting`, but for one bit.
  static constexpr uint8_t kArmed = 1;
  // The place of its file in the io_uring of `home`, if it has one: that is of use to operations of this loop only.
  int16_t registered = -1;
};

}  // namespace proactor

#endif  // PROACTOR_MULTISHOT_H_
