// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_kernel_profile.h"

#include <liburing.h>

namespace proactor {
namespace {

// All flags, features or the like up to this one.
constexpr unsigned UpTo(unsigned bit) { return 2 * bit - 1; }

// Newer than the liburing that this builds with.
constexpr unsigned kSetupNoSubmissionArray = 1u << 16;  // Linux 6.6
constexpr unsigned kSetupMixedCompletions = 1u << 18;   // Linux 6.18
constexpr unsigned kFeatureRegisterThroughRegistered = 1u << 13;  // Linux 6.3
constexpr unsigned kFeatureNoIoWait = 1u << 17;         // Linux 6.15
constexpr unsigned kEnterAbsoluteTimer = 1u << 5;       // Linux 6.12
constexpr unsigned kEnterNoIoWait = 1u << 7;            // Linux 6.15
constexpr unsigned kOperationPipe = 62;                 // Linux 6.16
constexpr unsigned kRegisterQuery = 35;                 // Linux 6.18

}  // namespace

FakeKernelProfile FakeKernelProfile::Linux5_15() {
  return {
      .name = "5.15",
      .setup_flags = UpTo(IORING_SETUP_R_DISABLED),
      .features = UpTo(IORING_FEAT_RSRC_TAGS),
      .enter_flags = UpTo(IORING_ENTER_EXT_ARG),
      .operations = IORING_OP_LINKAT + 1,
      .registrations = IORING_REGISTER_IOWQ_MAX_WORKERS + 1,
      .multishot_accept = false,
      .multishot_receive = false,
      .send_continues = false,
      .overflow_ends_multishot = true,
      .overflow_stops_submission = true,
  };
}

FakeKernelProfile FakeKernelProfile::Linux5_10() {
  FakeKernelProfile profile = Linux5_15();
  profile.name = "5.10";
  return profile;
}

FakeKernelProfile FakeKernelProfile::Linux5_19() {
  FakeKernelProfile profile = Linux5_15();
  profile.name = "5.19";
  profile.setup_flags = UpTo(IORING_SETUP_CQE32);
  profile.features = UpTo(IORING_FEAT_LINKED_FILE);
  profile.enter_flags = UpTo(IORING_ENTER_REGISTERED_RING);
  profile.operations = IORING_OP_URING_CMD + 1;
  profile.registrations = IORING_UNREGISTER_PBUF_RING + 1;
  profile.multishot_accept = true;
  profile.send_continues = true;
  profile.overflow_stops_submission = false;
  return profile;
}

FakeKernelProfile FakeKernelProfile::Linux6_0() {
  FakeKernelProfile profile = Linux5_19();
  profile.name = "6.0";
  profile.setup_flags = UpTo(IORING_SETUP_SINGLE_ISSUER);
  profile.operations = IORING_OP_SEND_ZC + 1;
  profile.registrations = IORING_REGISTER_FILE_ALLOC_RANGE + 1;
  profile.multishot_receive = true;
  return profile;
}

FakeKernelProfile FakeKernelProfile::Linux6_1() {
  FakeKernelProfile profile = Linux6_0();
  profile.name = "6.1";
  profile.setup_flags = UpTo(IORING_SETUP_DEFER_TASKRUN);
  profile.operations = IORING_OP_SENDMSG_ZC + 1;
  profile.timeout_leaves_work = true;
  return profile;
}

FakeKernelProfile FakeKernelProfile::Linux6_6() {
  FakeKernelProfile profile = Linux6_1();
  profile.name = "6.6";
  profile.setup_flags = UpTo(kSetupNoSubmissionArray);
  profile.features = UpTo(kFeatureRegisterThroughRegistered);
  profile.overflow_ends_multishot = false;
  return profile;
}

FakeKernelProfile FakeKernelProfile::Newest() {
  FakeKernelProfile profile = Linux6_6();
  profile.name = "newest";
  profile.setup_flags = UpTo(kSetupMixedCompletions);
  profile.features = UpTo(kFeatureNoIoWait);
  profile.enter_flags = UpTo(IORING_ENTER_REGISTERED_RING) | kEnterAbsoluteTimer | kEnterNoIoWait;
  profile.operations = kOperationPipe + 1;
  profile.registrations = kRegisterQuery + 1;
  profile.timeout_leaves_work = false;
  profile.most_completions = 20;
  return profile;
}

std::span<const FakeKernelProfile> FakeKernelProfile::Every() {
  static const FakeKernelProfile kProfiles[] = {Linux5_10(), Linux5_15(), Linux5_19(), Linux6_0(),
                                                Linux6_1(),  Linux6_6(),  Newest()};
  return kProfiles;
}

FakeFaults FakeFaults::All() {
  return {
      .enter_fails = 8,
      .interrupted = 8,
      .partial_submit = 8,
      .overflow = 16,
      .postponed = 4,
      .would_block = 8,
      .on_worker = 8,
      .multishot_ends = 4,
  };
}

}  // namespace proactor
