// SPDX-License-Identifier: Apache-2.0
//
// Handover: how an operation of one scheduler comes to a descriptor whose watcher on another one does not let go of it
// by itself (`DescriptorWatcher::LetGo`), because requests for it may be armed there.
//
//   if (ComesFromElsewhere(*descriptor->multishot, loop)) ...          // `HasResult`
//   if (descriptor->multishot->moving) return -EXDEV;                  // `Perform`; IsElsewhere(...) in `Advance`
//   if (result == -EXDEV) return WaitForHandover(*multishot, self);    // `StandInLine`: asks for it
//
//  1. The operation asks the loop where that is so, by a message, and waits. Nothing ends this wait early: it
//     takes as long as the other loop takes to come round.
//  2. That loop cancels the request, takes its last results, and sends the message back.
//  3. The operation goes on, and finds what was received there. The request is armed again where it is now.
//
// The loop where it was used must run, or have ended, when the operation is awaited, as for `Scheduler::Post`.
//
// Threads: as above.
#ifndef PROACTOR_OPERATION_HANDOVER_H_
#define PROACTOR_OPERATION_HANDOVER_H_

#include <cerrno>

#include "proactor/context.h"
#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

// Whether an operation of `loop` has to wait until the multishot request is there.
bool ComesFromElsewhere(Multishot& multishot, Loop& loop);

// In `Prepare`: the operation waits for that request, or, as long as it is elsewhere, is performed instead.
void WaitFor(const Multishot& multishot, io_uring_sqe& entry);

// In `Advance`: whether it is still elsewhere, which is then the result.
inline bool IsElsewhere(const Multishot* multishot, int& result) {
  if (multishot == nullptr || !multishot->moving) return false;
  result = -EXDEV;
  return true;
}

// Pauses the operation until it is there. False: it is.
bool WaitForHandover(Multishot& multishot, OperationBase& operation);

}  // namespace proactor

#endif  // PROACTOR_OPERATION_HANDOVER_H_
