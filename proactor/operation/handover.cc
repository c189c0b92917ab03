// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/handover.h"

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
  DescriptorWatcher* watcher = multishot.descriptor().watcher;
  bool elsewhere = multishot.home != nullptr && multishot.home != &loop;
  // It may be watched here by now: the other loop has ended, and an operation that needs no handover came first.
  if (elsewhere && watcher != nullptr && watcher != loop.proactor.watcher() &&
      !watcher->LetGo(multishot.descriptor())) {
    multishot.moving = true;
    return true;
  }
  multishot.home = &loop;
  return false;
}

void CheckIsHere(const Multishot& multishot, const Loop& loop) {
  Check(multishot.home == &loop,
        "A stream was read with Read on one scheduler after it had received into a pool on another: the first that is "
        "awaited here is a Receive.");
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
