// SPDX-License-Identifier: Apache-2.0
//
// Pause: how something waits until the system has descriptors or memory again.
//
//   struct Waiting final : Pause { void TryAgain() override { ... } };
//   waiting.Mark();                              // just before the system is asked
//   if (refused && waiting.Begin(loop)) return;  // TryAgain will be called
//   DescriptorClosed();                          // by whoever has closed one
//
// A pause ends when the library closes a descriptor on the same thread; a close after `Mark` is not missed. Memory, and
// descriptors that are closed elsewhere, are announced by nobody: so a pause also ends after a while, 10 ms for the
// first, and each time twice as long, up to a second.
//
// Threads: that of the loop.
#ifndef PROACTOR_PAUSE_H_
#define PROACTOR_PAUSE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "proactor/context.h"
#include "proactor/timer.h"

namespace proactor {

// Ends the pauses of this thread.
void DescriptorClosed();

class Pause : private Timer {
 public:
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

  // The pause has ended by itself. Must not resume a coroutine, only push it to the ready queue.
  virtual void TryAgain() = 0;

  void Mark();
  // False if something has changed since `Mark`: there is no need to wait.
  bool Begin(Loop& loop);
  // Ends it early, if it is going on.
  void End();

 protected:
  Pause() = default;
  ~Pause() { End(); }

 private:
  friend void DescriptorClosed();
  void Fire() final;

  static constexpr absl::Duration kFirst = absl::Milliseconds(10);
  static constexpr absl::Duration kLongest = absl::Seconds(1);

  absl::Duration length_ = kFirst;
  uint64_t mark_ = 0;
  // The list of this thread's pauses: the next one, and what points at this one; null when it is in none.
  Pause* next_ = nullptr;
  Pause** link_ = nullptr;
};

}  // namespace proactor

#endif  // PROACTOR_PAUSE_H_
