// SPDX-License-Identifier: Apache-2.0
#include "proactor/remote_close.h"

#include "proactor/remote_message.h"

namespace proactor {
namespace {

struct Message final : RemoteMessage {
  explicit Message(Descriptor& descriptor) : descriptor(descriptor) {}
  void Receive() override {
    if (descriptor.watcher == nullptr || !descriptor.watcher->TakeOver(descriptor)) CloseDescriptor(&descriptor);
    delete this;
  }
  // The loop ends: on its own thread nothing is armed any more, and another is not to be sent there again.
  void Discard() override {
    CloseDescriptor(&descriptor);
    delete this;
  }
  Descriptor& descriptor;
};

}  // namespace

void CloseOn(Loop& loop, Descriptor& descriptor) { Send(loop, *new Message(descriptor)); }

}  // namespace proactor
