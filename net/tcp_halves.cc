// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/tcp_halves.h"

#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "proactor/errors.h"
#include "proactor/log.h"

namespace proactor {
namespace {

void CheckIdle(const Descriptor& descriptor, const OperationBase* operation, const char* half) {
  Check(operation == nullptr, [&] {
    return absl::StrCat("The ", half, " half of descriptor ", descriptor.number,
                        " was dropped while an operation of it was in flight: cancel the operation and await its end "
                        "first.");
  });
}

}  // namespace

void TcpReadHalf::Drop() {
  if (shared_ != nullptr) CheckIdle(*shared_->get(), (*shared_)->reading, "reading");
  shared_ = nullptr;
}

void TcpWriteHalf::Drop() {
  if (shared_ == nullptr) return;
  CheckIdle(*shared_->get(), (*shared_)->writing, "writing");
  // Closing says it too.
  bool closes = shared_.use_count() == 1;
  if (!closes) Shutdown().IgnoreError();
  shared_ = nullptr;
}

absl::Status TcpWriteHalf::Shutdown() {
  const Descriptor& descriptor = *shared_->get();
  int result = descriptor.system.Shutdown(descriptor.number, SHUT_WR);
  return result < 0 ? ErrnoToStatus(-result, "shutdown") : absl::OkStatus();
}

}  // namespace proactor
