// SPDX-License-Identifier: Apache-2.0
#include "proactor/descriptor.h"

#include "absl/strings/str_cat.h"
#include "proactor/log.h"
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
  descriptor->StopWatching();
  if (descriptor->closes) {
    descriptor->system.Close(descriptor->number);
    DescriptorClosed();
  }
  delete descriptor;
}

}  // namespace proactor
