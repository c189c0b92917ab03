// SPDX-License-Identifier: Apache-2.0
//
// The library's own words: a replaceable sink for rare log lines, and `Check` for misuse that must not continue.
//
//   proactor::SetLogSink([](proactor::LogSeverity, std::string_view line) { MyLogger(line); });
//   proactor::Check(buffer != nullptr, "Read needs a buffer; pass at least one byte of it.");
//
// The library logs rarely: a task that fails with nobody to tell, a backend that was not chosen. Each line is one call
// of the sink, without a newline at its end. `Check` is on in every build, because what it guards against (a coroutine
// destroyed under the kernel's hands, a second reader) corrupts memory or data when it goes on.
//
// Threads: all functions may be called from any thread. Sinks and hooks may be called from any thread.
#ifndef PROACTOR_LOG_H_
#define PROACTOR_LOG_H_

#include <concepts>
#include <string>
#include <string_view>

namespace proactor {

enum class LogSeverity { kInfo, kWarning, kError, kFatal };

// Plain functions, so that they can be called while the process is dying.
using LogSink = void (*)(LogSeverity severity, std::string_view line);
using CheckFailureHook = void (*)(std::string_view sentence);

// Replaces the sink (standard error by default) and returns the one before it. Null restores the default.
LogSink SetLogSink(LogSink sink);

// Writes one line to the sink.
void Log(LogSeverity severity, std::string_view line);

// Replaces what happens after a failed check has been logged, and returns what was set before. The process aborts when
// the hook returns; a hook that must not let it (a test) leaves by other means. Null restores the default.
CheckFailureHook SetCheckFailureHook(CheckFailureHook hook);

// Logs the sentence, calls the hook, aborts.
[[noreturn]] void CheckFailed(std::string_view sentence);

// Does nothing when `condition` holds; otherwise ends the process with `sentence`.
inline void Check(bool condition, std::string_view sentence) {
  if (!condition) [[unlikely]] {
    CheckFailed(sentence);
  }
}

// The same for a sentence that costs something to build: it is built only on failure.
template <std::invocable Sentence>
void Check(bool condition, Sentence&& sentence) {
  if (!condition) [[unlikely]] {
    CheckFailed(sentence());
  }
}

}  // namespace proactor

#endif  // PROACTOR_LOG_H_
