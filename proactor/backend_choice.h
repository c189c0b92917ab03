// SPDX-License-Identifier: Apache-2.0
//
// BackendChoice: what the user wants operations to go through.
//
//   absl::StatusOr<BackendChoice> choice = ParseBackendChoice("epoll");   // the word of a command line
//   absl::Status status = Run(Serve(address), {.backend = *choice});
//
// The words are `auto`, `io_uring` and `epoll`. What code asks for counts; where it asks for nothing, the environment
// variable PROACTOR_BACKEND does; without it, the choice is automatic: io_uring, and epoll where that is refused. What
// was asked for by name is never replaced by something else.
//
// Threads: all functions may be called from any thread while none changes the environment.
#ifndef PROACTOR_BACKEND_CHOICE_H_
#define PROACTOR_BACKEND_CHOICE_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace proactor {

enum class BackendChoice { kAuto, kIoUring, kEpoll };

// Result: `kInvalidArgument`, with the words that there are, for any other.
absl::StatusOr<BackendChoice> ParseBackendChoice(std::string_view word);

std::string_view BackendChoiceWord(BackendChoice choice);

// What PROACTOR_BACKEND says; `kAuto` if it is empty or not set, or in a program with more rights than its caller
// (secure_getenv(3)).
// Result: `kInvalidArgument`, with the variable's name, for a wrong word.
absl::StatusOr<BackendChoice> BackendChoiceOfEnvironment();

}  // namespace proactor

#endif  // PROACTOR_BACKEND_CHOICE_H_
