// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/handover.h"

#include <liburing.h>

#include <cerrno>
#include <mutex>
#include <utility>

#include "proactor/descriptor.h"
#include "proactor/log.h"
#include "proactor/proactor.h"
#include "proactor/remote_message.h"

namespace proactor {
namespace {

class Handover final : public RemoteMessage {
 public:
  Handover(Multishot& multishot, Loop& to) : multishot_(multishot), to_(to) {}

  // First where it was armed, then where it is to be.
  void Receive() override {
    if (multishot_.home != &to_) {
      multishot_.descriptor().StopWatching();
      multishot_.Leaving();
      multishot_.home = &to_;
      std::lock_guard lock(sending_);
      return Send(to_, *this);
    }
    // Not before the other thread is done with this loop, which may end then.
    { std::lock_guard lock(sending_); }
    OperationBase* waiting = std::exchange(multishot_.moving_for, nullptr);
    multishot_.moving = false;
    waiting->EndPause(-EINTR);
    delete this;
  }
  void Discard() override { Receive(); }

 private:
  Multishot& multishot_;
  Loop& to_;
  std::mutex sending_;
};

}  // namespace

bool ComesFromElsewhere(Multishot& multishot, Loop& loop) {
  if (multishot.moving) return true;
  if (multishot.home == &loop) return false;
  if (multishot.home != nullptr && !multishot.descriptor().ComeTo(loop.proactor.watcher())) {
    multishot.moving = true;
    return true;
  }
  multishot.Leaving();
  multishot.home = &loop;
  return false;
}

void WaitFor(const Multishot& multishot, io_uring_sqe& entry) {
  if (multishot.moving) {
    entry.opcode = kNoOpcode;
  } else {
    entry.user_data = reinterpret_cast<uintptr_t>(&multishot);
  }
}

bool WaitForHandover(Multishot& multishot, OperationBase& operation) {
  if (!multishot.moving) return false;
  operation.BeginPause();
  // From here on until the answer, nothing of it is touched on this side.
  if (std::exchange(multishot.moving_for, &operation) == nullptr) {
    Send(*multishot.home, *new Handover(multishot, operation.loop()));
  }
  return true;
}

}  // namespace proactor
