// SPDX-License-Identifier: Apache-2.0
//
// What the kernel says of this process's memory (proc(5), smaps).
//
//   int before = MappingsWith("dc");   // those that a child does not get: MADV_DONTFORK
#ifndef PROACTOR_TESTS_SUPPORT_MEMORY_MAP_H_
#define PROACTOR_TESTS_SUPPORT_MEMORY_MAP_H_

#include <string_view>

namespace proactor {

// How many mappings have this among their VmFlags, each of which is two letters.
int MappingsWith(std::string_view flag);

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_MEMORY_MAP_H_
