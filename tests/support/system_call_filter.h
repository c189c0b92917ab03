// SPDX-License-Identifier: Apache-2.0
//
// SystemCallFilter: what a process under test may ask of the kernel (seccomp(2)).
//
//   SystemCallFilter filter = Failing(SYS_io_uring_setup, EPERM);  // as in a container
//   SystemCallFilter filter = FatalOn(0, {SYS_read, SYS_readv});   // reads standard input through a ring, or dies
#ifndef PROACTOR_TESTS_SUPPORT_SYSTEM_CALL_FILTER_H_
#define PROACTOR_TESTS_SUPPORT_SYSTEM_CALL_FILTER_H_

#include <linux/filter.h>

#include <initializer_list>
#include <span>
#include <vector>

namespace proactor {

using SystemCallFilter = std::vector<sock_filter>;

// The call fails with this errno.
SystemCallFilter Failing(unsigned call, int error);

// Any of the calls with this descriptor as its first argument ends the process with SIGSYS.
SystemCallFilter FatalOn(int descriptor, std::initializer_list<unsigned> calls);

// Any of the calls ends the process with SIGSYS.
SystemCallFilter FatalOn(std::span<const unsigned> calls);

// Puts a filter over the calling process, until it ends and through execve(2), on top of those that it has. False on
// failure. May be called between fork(2) and execve(2).
bool Install(const SystemCallFilter& filter);

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_SYSTEM_CALL_FILTER_H_
