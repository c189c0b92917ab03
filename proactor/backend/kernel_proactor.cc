// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/kernel_proactor.h"

#include "absl/strings/str_cat.h"
#include "proactor/errors.h"
#include "proactor/log.h"

namespace proactor {

absl::StatusOr<int> KernelProactor::OpenWakeDescriptor(Machine& machine) {
  int descriptor = machine.OpenEvent();
  if (descriptor < 0) return ErrnoToStatus(-descriptor, "eventfd");
  return descriptor;
}

void KernelProactor::CheckNothingInFlight() {
  const int64_t left = counters().operations.value() - counters().completions.value();
  Check(left == 0, [left] {
    return absl::StrCat("A proactor ends while operations are in flight (", left,
                        "), and the kernel may still use their memory: await their end before.");
  });
}

KernelProactor::~KernelProactor() { machine_.CloseEvent(wake_fd_); }

}  // namespace proactor
