// SPDX-License-Identifier: Apache-2.0
//
// Concatenate: what uring-cat does once its command line is understood.
//
//   absl::StatusOr<int> exit_status = Run(Concatenate({"header", "-"}));
//
// Writes each file to standard output; "-" is standard input. What concerns one file is said on standard error, in
// cat(1)'s words, and the others are still written.
// Result: the exit status: 0, or 1 after anything was said. Where nobody is left to read, SIGPIPE ends the process.
#ifndef PROACTOR_TOOLS_CONCATENATE_H_
#define PROACTOR_TOOLS_CONCATENATE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proactor/task.h"

namespace tools {

proactor::Task<absl::StatusOr<int>> Concatenate(std::vector<std::string> names);

}  // namespace tools

#endif  // PROACTOR_TOOLS_CONCATENATE_H_
