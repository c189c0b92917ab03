// SPDX-License-Identifier: Apache-2.0
#include "tests/support/memory_map.h"

#include <fstream>
#include <sstream>
#include <string>

namespace proactor {

int MappingsWith(std::string_view flag) {
  std::ifstream smaps("/proc/self/smaps");
  int count = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (!line.starts_with("VmFlags:")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) count += word == flag;
  }
  return count;
}

}  // namespace proactor
