// SPDX-License-Identifier: Apache-2.0
#include "tests/support/system_call_filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace proactor {
namespace {

sock_filter Load(size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }

// The program goes on after `if_not` more instructions where the loaded word is another.
sock_filter Equals(unsigned value, int if_not) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<uint8_t>(if_not));
}

sock_filter Answer(unsigned answer) { return BPF_STMT(BPF_RET | BPF_K, answer); }

}  // namespace

SystemCallFilter Failing(unsigned call, int error) {
  return {Load(offsetof(seccomp_data, nr)), Equals(call, 1),
          Answer(SECCOMP_RET_ERRNO | (static_cast<unsigned>(error) & SECCOMP_RET_DATA)), Answer(SECCOMP_RET_ALLOW)};
}

SystemCallFilter FatalOn(int descriptor, std::initializer_list<unsigned> calls) {
  SystemCallFilter filter;
  for (unsigned call : calls) {
    filter.insert(filter.end(), {Load(offsetof(seccomp_data, nr)), Equals(call, 3),
                                 // The low half of the argument, on a little-endian machine.
                                 Load(offsetof(seccomp_data, args)), Equals(static_cast<unsigned>(descriptor), 1),
                                 Answer(SECCOMP_RET_KILL_PROCESS)});
  }
  filter.push_back(Answer(SECCOMP_RET_ALLOW));
  return filter;
}

SystemCallFilter FatalOn(std::span<const unsigned> calls) {
  SystemCallFilter filter = {Load(offsetof(seccomp_data, nr))};
  for (unsigned call : calls) {
    filter.insert(filter.end(), {Equals(call, 1), Answer(SECCOMP_RET_KILL_PROCESS)});
  }
  filter.push_back(Answer(SECCOMP_RET_ALLOW));
  return filter;
}

bool Install(const SystemCallFilter& filter) {
  sock_fprog program = {static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  // Without privileges the kernel takes filters only from those who give up setuid programs.
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

}  // namespace proactor
