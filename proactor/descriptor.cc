// SPDX-License-Identifier: Apache-2.0
#include "proactor/descriptor.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"
#include "proactor/multishot.h"
#include "proactor/pause.h"

namespace proactor {
namespace {

void CheckIdle(const Descriptor& descriptor) {
  Check(descriptor.reading == nullptr && descriptor.writing == nullptr, [&] {
    return absl::StrCat("Descriptor ", descriptor.number,
                        " was closed or given away while an operation on it was in flight: cancel the operation and "
                        "await its end first.");
  });
}

}  // namespace

// While it moves, who watches it is the other thread's to say.
bool Descriptor::ComeFromElsewhere(const DescriptorWatcher* other) {
  if (multishot != nullptr && multishot->moving) return false;
  return watcher == nullptr || watcher == other || watcher->LetGo(*this);
}

bool Descriptor::CanBePolled(System& by) const {
  if (kind != DescriptorKind::kOther) return kind != DescriptorKind::kRegularFile;
  struct statx status;
  return by.Stat(number, STATX_TYPE, &status) == 0 && !S_ISBLK(status.stx_mode);
}

void BeforeClosing(Descriptor& descriptor) {
  descriptor.StopWatching();
  if (!descriptor.closes || descriptor.multishot == nullptr) return;
  // As the kernel does where it has the bytes: the peer must not take this end for that of all it has sent.
  if (descriptor.multishot->HasUnreadBytes()) {
    static constexpr linger kAtOnce = {.l_onoff = 1, .l_linger = 0};
    descriptor.system.SetSocketOption(descriptor.number, SOL_SOCKET, SO_LINGER, &kAtOnce, sizeof(kAtOnce));
  }
  descriptor.multishot->Clear();
}

void CloseDescriptor(Descriptor* descriptor) {
  descriptor->StopWatching();  // Also one that stays open, or is closed already.
  if (descriptor->closes) {
    BeforeClosing(*descriptor);
    descriptor->system.Close(descriptor->number);
    DescriptorClosed();
  }
  delete descriptor->multishot;
  delete descriptor;
}

int OwnedDescriptor::Release() {
  CheckIdle(*descriptor_);
  descriptor_->StopWatching();
  descriptor_->closes = false;
  int number = descriptor_->number;
  descriptor_.reset();
  return number;
}

void OwnedDescriptor::Closer::operator()(Descriptor* descriptor) const {
  CheckIdle(*descriptor);
  if (descriptor->watcher != nullptr && descriptor->watcher->TakeOver(*descriptor)) return;
  CloseDescriptor(descriptor);
}

}  // namespace proactor
