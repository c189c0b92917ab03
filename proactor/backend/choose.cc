// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/choose.h"

#include <cerrno>

#include "absl/status/status.h"
#include "proactor/backend/epoll_proactor.h"
#include "proactor/backend/io_uring_proactor.h"
#include "proactor/backend/io_uring_refusal.h"
#include "proactor/errors.h"

namespace proactor {

absl::StatusOr<ChosenProactor> ChooseProactor(BackendChoice choice, FeatureSet disabled, bool restricted) {
  std::string reason;
  if (choice != BackendChoice::kEpoll) {
    absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor =
        IoUringProactor::Create({.disabled = disabled, .restricted = restricted});
    if (proactor.ok()) return ChosenProactor{*std::move(proactor), ""};
    reason = ExplainRefusal(proactor.status(), SystemPolicy::OfThisThread());
    int error = ErrnoOf(proactor.status());
    if (error == EMFILE || error == ENFILE) return absl::ResourceExhaustedError(reason);
    if (choice == BackendChoice::kIoUring) return absl::UnavailableError(reason);
    reason += "; using epoll";
  }
  absl::StatusOr<std::unique_ptr<EpollProactor>> proactor = EpollProactor::Create();
  if (!proactor.ok()) return proactor.status();
  (*proactor)->set_reason(reason);
  return ChosenProactor{*std::move(proactor), std::move(reason)};
}

}  // namespace proactor
