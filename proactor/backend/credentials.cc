// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/credentials.h"

#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace proactor {

Credentials Credentials::OfThisThread() {
  Credentials these;
  getresuid(&these.user[0], &these.user[1], &these.user[2]);
  getresgid(&these.group[0], &these.group[1], &these.group[2]);
  // There is no call that only asks; one that cannot be granted changes nothing.
  these.user[3] = static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1)));
  these.group[3] = static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1)));
  // Without libcap, which would be a dependency for one call.
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, halves) == 0) {
    these.capabilities[0] = halves[0].effective | uint64_t{halves[1].effective} << 32;
    these.capabilities[1] = halves[0].permitted | uint64_t{halves[1].permitted} << 32;
  }
  return these;
}

}  // namespace proactor
