// SPDX-License-Identifier: Apache-2.0
#include "tests/stress/race.h"

namespace proactor {

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

}  // namespace proactor
