// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/registered_file.h"

#include <liburing.h>

#include "proactor/descriptor.h"
#include "proactor/multishot.h"

namespace proactor {

void NameRegisteredFile(const Multishot& multishot, const Loop& loop, io_uring_sqe& entry) {
  if (multishot.moving || multishot.home != &loop || multishot.registered < 0) return;
  // An operation of the user's own may be about another one, too, or leave the entry to a worker, who looks later.
  if (entry.fd != multishot.descriptor().number || entry.flags != 0) return;
  entry.fd = multishot.registered;
  entry.flags |= IOSQE_FIXED_FILE;
}

}  // namespace proactor
