// SPDX-License-Identifier: Apache-2.0
//
// Canceller: how another thread cancels a scope, or asks it to stop soon.
//
//   Canceller canceller(scope);                             // on the scheduler's thread
//   std::thread watchdog([canceller] {                      // copied to anywhere
//     WaitForTrouble();
//     canceller.Cancel("trouble");
//   });
//
// A request arrives in a later step of the scope's loop, and does what `CancelScope::Cancel` or `StopSoon` does. It may
// be made any number of times, of which the first counts; and also when the scope has ended, and its scheduler too:
// then it does nothing. All cancellers of a scope are one allocation, which a scope without any does not have.
//
// The protocol between who asks and the scope, with a lock that is held for a few instructions:
//  1. Who asks notes the request and sends a message, unless one is on its way, which will find the note. Only a scope
//     that lives is sent one: its end waits for the lock, so the loop lives, too.
//  2. The message shares in owning itself. It arrives, or is discarded with the loop, and asks whether the scope lives.
//  3. The scope's end takes the scope out of it.
//
// Threads: made on the scheduler's; all else on any.
#ifndef PROACTOR_CANCELLER_H_
#define PROACTOR_CANCELLER_H_

#include <memory>
#include <string_view>

#include "proactor/cancellation.h"

namespace proactor {

class Canceller {
 public:
  explicit Canceller(CancelScope& scope);

  void Cancel(std::string_view reason = "") const;
  void StopSoon() const;

 private:
  class Request;

  std::shared_ptr<Request> request_;
};

}  // namespace proactor

#endif  // PROACTOR_CANCELLER_H_
