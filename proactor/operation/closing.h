// SPDX-License-Identifier: Apache-2.0
//
// Closing: the end of a descriptor, in order: what is in flight on it is cancelled and has ended before it is closed.
// Sharing: how a descriptor knows of operations that take no slot of it.
//
//   Closing closing(operation);          // A part of the operation that closes.
//   closing.Begin(descriptor)            // Its start,
//   closing.GoOn()                       // each of its turns on the ready queue: false when it has its result,
//   closing.End(descriptor);             // and its end.
//
//   Sharing sharing(operation);          // A part of one that may be in flight in any number: at an offset, say.
//   sharing.Begin(descriptor, slot)      // Before it is handed to the proactor,
//   sharing.End(descriptor);             // and its end.
//
// The protocol, so that no operation waits on a number that is somebody else's by now, with the same results on every
// backend:
//  1. What closes takes both slots of the descriptor, also from operations that have them. These are displaced: they
//     are cancelled, and a part of theirs is not followed by the rest. A result that has come already is delivered.
//     The same for those that share the descriptor, except that there is no slot to take.
//  2. When the turn of a displaced operation comes, it ends as always, and leaves the slot to what closes (`MakeRoom`).
//     After the last of them it is the turn of that one. It is handed to the proactor then; or it ends as cancelled, if
//     its scope was, and nothing is in flight on the descriptor all the same.
//  3. Who wants a slot or a share from the beginning of 1 on gets EBADF, as afterwards (`OperationBase::SlotTaken`). So
//     does who wants to close, too.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_OPERATION_CLOSING_H_
#define PROACTOR_OPERATION_CLOSING_H_

#include "proactor/descriptor.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

class Closing {
 public:
  explicit Closing(OperationBase& operation) : operation_(operation) {}

  // The operation that closes a descriptor now; null if none does.
  static OperationBase* Of(const Descriptor& descriptor);

  // True: the operation waits, for others or for its result.
  bool Begin(Descriptor& descriptor);
  bool GoOn();
  // The slots are free.
  void End(Descriptor& descriptor);

  // Has a displaced operation end, and gives its slot to what closes. False: it does not yet, because it cannot.
  template <class End>
  static bool MakeRoom(OperationBase** slot, End end) {
    OperationBase& closing = **slot;
    if (!end()) return false;
    *slot = &closing;
    RoomMade(closing);
    return true;
  }

 private:
  friend class Sharing;

  static void RoomMade(OperationBase& closing);
  void Displace(OperationBase& other);

  OperationBase& operation_;
  bool handed_over_ = false;
};

class Sharing {
 public:
  explicit Sharing(OperationBase& operation) : operation_(operation) {}

  // False: the descriptor is being closed, or that whose slot it wants, if any, and the operation has its result.
  bool Begin(Descriptor& descriptor, OperationBase* const* slot);
  void End(Descriptor& descriptor);

 private:
  friend class Closing;

  OperationBase& operation_;
  Sharing* next_ = nullptr;   // Of the same descriptor,
  Sharing** link_ = nullptr;  // and what points at this one.
};

namespace internal {

// In the place of a part that an operation never needs.
template <int kPlace>
struct NoPart {
  explicit NoPart(OperationBase&) {}
};

}  // namespace internal

}  // namespace proactor

#endif  // PROACTOR_OPERATION_CLOSING_H_
