// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/kernel_proactor.h"

#include "proactor/errors.h"

namespace proactor {

absl::StatusOr<int> KernelProactor::OpenWakeDescriptor(Machine& machine) {
  int descriptor = machine.OpenEvent();
  if (descriptor < 0) return ErrnoToStatus(-descriptor, "eventfd");
  return descriptor;
}

KernelProactor::~KernelProactor() { machine_.CloseEvent(wake_fd_); }

}  // namespace proactor
