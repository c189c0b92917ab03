// SPDX-License-Identifier: Apache-2.0
#include "proactor/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace proactor {
namespace {

void WriteToStandardError(LogSeverity severity, std::string_view line) {
  static constexpr std::string_view kPrefix[] = {"proactor: ", "proactor: warning: ", "proactor: error: ",
                                                 "proactor: fatal: "};
  // One write, so that lines of several threads do not mix.
  std::string text(kPrefix[static_cast<int>(severity)]);
  text.append(line).push_back('\n');
  [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
}

// Release publishes whatever the new sink's owner set up before installing it.
std::atomic<LogSink> log_sink{&WriteToStandardError};
std::atomic<CheckFailureHook> check_failure_hook{nullptr};

}  // namespace

LogSink SetLogSink(LogSink sink) {
  return log_sink.exchange(sink != nullptr ? sink : &WriteToStandardError, std::memory_order_acq_rel);
}

void Log(LogSeverity severity, std::string_view line) { log_sink.load(std::memory_order_acquire)(severity, line); }

CheckFailureHook SetCheckFailureHook(CheckFailureHook hook) {
  return check_failure_hook.exchange(hook, std::memory_order_acq_rel);
}

void CheckFailed(std::string_view sentence) {
  Log(LogSeverity::kFatal, sentence);
  if (CheckFailureHook hook = check_failure_hook.load(std::memory_order_acquire); hook != nullptr) {
    hook(sentence);
  }
  std::abort();
}

}  // namespace proactor
