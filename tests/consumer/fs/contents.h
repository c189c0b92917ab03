// SPDX-License-Identifier: Apache-2.0
//
// Of the service: all that is in a file.
#ifndef CONSUMER_FS_CONTENTS_H_
#define CONSUMER_FS_CONTENTS_H_

#include <string>

#include "proactor/fs/file.h"
#include "proactor/try.h"

inline proactor::Task<absl::StatusOr<std::string>> ContentsOf(std::string path) {
  proactor::File file = co_await proactor::Try(proactor::File::Open(path));
  std::string contents;
  char buffer[4096];
  while (size_t n = co_await proactor::Try(file.Read(buffer))) contents.append(buffer, n);
  co_return contents;
}

#endif  // CONSUMER_FS_CONTENTS_H_
