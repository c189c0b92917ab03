// SPDX-License-Identifier: Apache-2.0
//
// FakeKernelProfile: what a fake kernel offers; FakeFaults: what goes wrong in it, though it need not.
//
//   FakeKernelProfile old = FakeKernelProfile::Linux5_15();
//   old.largest_ring = 64;                      // beyond it, io_uring_setup(2) yields ENOMEM
//   FakeFaults faults = FakeFaults::All();
//   faults.overflow = 0;                        // all but this
//
// A profile is a list of what has been added over time, and of how some things were before: code that looks at what it
// is given, and never at a version, runs on every mixture of them.
//
// Threads: a value.
#ifndef PROACTOR_BACKEND_FAKE_KERNEL_PROFILE_H_
#define PROACTOR_BACKEND_FAKE_KERNEL_PROFILE_H_

#include <cstddef>
#include <span>

namespace proactor {

struct FakeKernelProfile {
  const char* name;

  unsigned setup_flags;           // IORING_SETUP_...; others are EINVAL.
  unsigned features;              // IORING_FEAT_...
  unsigned enter_flags;           // IORING_ENTER_...; others are EINVAL.
  unsigned operations;            // How many opcodes there are.
  unsigned registrations;         // The same of io_uring_register(2); others are EINVAL.
  unsigned hidden_operation = ~0u;  // One that is not there all the same.
  unsigned largest_ring = 32768;  // Entries; beyond them there is not enough locked memory (ENOMEM).
  int setup_error = 0;            // Whatever is asked for: EPERM, ENOSYS.
  unsigned most_files = 1024;     // That may be registered; EMFILE beyond (RLIMIT_NOFILE).
  size_t buffer_rings = 1000;     // For so many rings of provided buffers there is memory (ENOMEM).

  bool multishot_poll = true;          // Linux 5.13; EINVAL before.
  bool multishot_accept = true;        // Linux 5.19
  bool multishot_receive = true;       // Linux 6.0
  bool send_continues = true;          // Linux 5.19: with MSG_WAITALL, after a part; before, that ends it.
  bool overflow_ends_multishot = false;  // Until Linux 6.1.
  bool overflow_stops_submission = false;  // Until Linux 5.19: EBUSY.
  bool timeout_leaves_work = false;    // Linux 6.1 to 6.7: a wait that times out has run no deferred work.
  size_t most_completions = ~size_t{0};  // Deferred work that one enter runs.

  // By what they are known as: the kernel's version. 5.10 is a later stable one, with the io_uring of 5.15.
  static FakeKernelProfile Linux5_10();
  static FakeKernelProfile Linux5_15();
  static FakeKernelProfile Linux5_19();
  static FakeKernelProfile Linux6_0();
  static FakeKernelProfile Linux6_1();
  static FakeKernelProfile Linux6_6();
  static FakeKernelProfile Newest();
  // All of these, the oldest first.
  static std::span<const FakeKernelProfile> Every();
};

// Each happens one time in so many; 0: never. A seed decides when.
struct FakeFaults {
  unsigned enter_fails = 0;        // Nothing is submitted, and no wait takes place: EINTR, EAGAIN, EBUSY.
  unsigned interrupted = 0;        // The wait ends early: EINTR, unless something was submitted.
  unsigned partial_submit = 0;     // Some entries only are taken, and there is no wait.
  unsigned overflow = 0;           // A completion does not go into its queue, though there is room.
  unsigned postponed = 0;          // What has completed is not brought yet.
  unsigned would_block = 0;        // EAGAIN to what has to wait, as if the descriptor did not block; and for files.
  unsigned on_worker = 0;          // Work that runs on a thread: requests to cancel it say EALREADY or ENOENT.
  unsigned multishot_ends = 0;     // The completion is the last, for no reason.
  unsigned cancel_is_lost = 0;     // EALREADY, and nothing ends by it. Not one of `All`: some wait for it for ever.

  static FakeFaults All();
};

struct FakeKernelOptions {
  FakeKernelProfile profile = FakeKernelProfile::Newest();
  FakeFaults faults = {};
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_KERNEL_PROFILE_H_
