// SPDX-License-Identifier: Apache-2.0
//
// Credentials: on whose behalf a thread asks the kernel (credentials(7), capabilities(7)).
//
//   Credentials before = Credentials::OfThisThread();
//   setresuid(1000, 1000, 1000);
//   Check(Credentials::OfThisThread() == before, "privileges have changed in between");   // Fails.
//
// Threads: all functions may be called from any thread.
#ifndef PROACTOR_BACKEND_CREDENTIALS_H_
#define PROACTOR_BACKEND_CREDENTIALS_H_

#include <sys/types.h>

#include <array>
#include <cstdint>

namespace proactor {

struct Credentials {
  static Credentials OfThisThread();

  // Real, effective, saved, and the one for files.
  std::array<uid_t, 4> user = {};
  std::array<gid_t, 4> group = {};
  std::array<uint64_t, 2> capabilities = {};  // Effective and permitted; none where they cannot be asked for.

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_CREDENTIALS_H_
