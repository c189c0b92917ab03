// SPDX-License-Identifier: Apache-2.0
#include "proactor/run.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "proactor/backend/choose.h"

namespace proactor {
namespace {

// Holds the standard descriptors that the process was started without, so that what is opened meanwhile gets other
// numbers: whoever reads standard input then would read the ring, and wait for ever.
class StandardDescriptors {
 public:
  StandardDescriptors() {
    for (int number = 0; number <= 2; ++number) {
      bool closed = fcntl(number, F_GETFD) < 0;
      if (closed) held_[number] = open("/dev/null", O_PATH | O_CLOEXEC);  // The lowest number that is free.
    }
  }
  ~StandardDescriptors() {
    for (int held : held_) {
      if (held >= 0) close(held);
    }
  }

 private:
  int held_[3] = {-1, -1, -1};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Proactor>> MakeProactor(RunOptions options) {
  absl::StatusOr<BackendChoice> choice = options.backend.has_value() ? *options.backend : BackendChoiceOfEnvironment();
  if (!choice.ok()) return choice.status();
  absl::StatusOr<FeatureSet> disabled =
      options.disabled.has_value() ? *options.disabled : DisabledFeaturesOfEnvironment();
  if (!disabled.ok()) return disabled.status();
  StandardDescriptors held;
  absl::StatusOr<ChosenProactor> chosen = ChooseProactor(*choice, *disabled, options.restricted);
  if (!chosen.ok()) return chosen.status();
  static std::atomic<bool> said = false;  // Nothing else is published by it: relaxed.
  if (!chosen->reason.empty() && !said.exchange(true, std::memory_order_relaxed)) {
    Log(LogSeverity::kWarning, chosen->reason);
  }
  return std::move(chosen->proactor);
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  Log(LogSeverity::kError, std::string(status.ToString()));
  return 1;
}

}  // namespace proactor
