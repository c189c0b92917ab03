// SPDX-License-Identifier: Apache-2.0
//
// RemoteMessage: what another thread sends to a scheduler.
//
//   struct Done final : RemoteMessage { void Receive() override { ... } };   // on the scheduler's thread
//   Send(loop, done);                                                        // on any
//
// The receiver calls `Receive` once per sending, in a later step of its loop, in the order of sending for one sender;
// the message may be sent again, or destroyed, from then on. The loop and its proactor must live until `Send` returns.
// A message that is still on its way when the loop ends is discarded instead: an owner who can be elsewhere by then
// learns of it in `Discard`.
#ifndef PROACTOR_REMOTE_MESSAGE_H_
#define PROACTOR_REMOTE_MESSAGE_H_

#include "proactor/context.h"
#include "proactor/counters.h"
#include "proactor/proactor.h"
#include "proactor/remote_queue.h"

namespace proactor {

struct RemoteMessage : RemoteNode {
  virtual void Receive() = 0;
  // The loop ends without receiving it; called on its thread.
  virtual void Discard() {}

 protected:
  ~RemoteMessage() = default;
};

inline void Send(Loop& loop, RemoteMessage& message) {
  if (loop.remote_queue.Push(message)) {
    loop.counters.wakes_sent.AddShared();
    loop.proactor.Wake();
  } else {
    loop.counters.wakes_elided.AddShared();
  }
}

}  // namespace proactor

#endif  // PROACTOR_REMOTE_MESSAGE_H_
