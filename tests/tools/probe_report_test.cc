// SPDX-License-Identifier: Apache-2.0
#include "tools/probe_report.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/ring.h"
#include "proactor/backend/simulated_system.h"

namespace tools {
namespace {

using proactor::Capabilities;
using proactor::Capability;
using proactor::Feature;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A machine that has it all.
Probe Best() {
  Probe probe = {.kernel = "6.18.0", .locked_memory_limit = 8 << 20, .io_uring_disabled = 0, .io_uring_group = -1};
  probe.calls = {{"io_uring_setup", EFAULT, true}, {"io_uring_enter", EBADF, true}};
  probe.capabilities = {.backend = "io_uring", .submission_entries = 256, .completion_entries = 4096};
  for (const proactor::FeatureFacts& facts : proactor::AllFeatures()) {
    probe.capabilities.features.push_back({.feature = facts.feature});
  }
  return probe;
}

Probe Refused() {
  Probe probe = Best();
  probe.calls = {{"io_uring_setup", EPERM, false}};
  probe.capabilities = Capabilities::Without("epoll", "io_uring_setup: Operation not permitted; do this; using epoll");
  return probe;
}

void Lack(Probe& probe, Feature feature, Capability::State state, const std::string& why,
          std::optional<Feature> needs = {}) {
  probe.capabilities.features[static_cast<size_t>(feature)] = {feature, state, why, needs};
}

TEST(ProbeReportTest, ExitStatusSaysHowItIs) {
  Probe probe = Best();
  EXPECT_EQ(ExitStatus(probe), 0);
  EXPECT_EQ(ExitStatus(Refused()), 1);
  probe.status = absl::InvalidArgumentError("PROACTOR_DISABLE");
  EXPECT_EQ(ExitStatus(probe), 2);
  probe.status = absl::UnavailableError("io_uring_setup");
  EXPECT_EQ(ExitStatus(probe), 3);
}

TEST(ProbeReportTest, NothingWouldMakeTheBestBetter) {
  EXPECT_THAT(Remedies(Best()), IsEmpty());
  EXPECT_THAT(ToText(Best()),
              AllOf(HasSubstr("kernel            6.18.0\n"), HasSubstr("memlock 8388608 bytes, nofile unlimited"),
                    HasSubstr("io_uring_setup allowed, io_uring_enter allowed"),
                    HasSubstr("queues            256 entries, 4096 completions\n"), Not(HasSubstr("\n  no ")),
                    HasSubstr("\n  accept     ring\n"), HasSubstr("\n  receive    ring, one request for many\n"),
                    HasSubstr("\n  function   pool\n"), HasSubstr("nothing would make it better")));
}

TEST(ProbeReportTest, WhatIsRefusedIsNamedWithItsReason) {
  EXPECT_THAT(Remedies(Refused()), ElementsAre(HasSubstr("do this")));
  EXPECT_THAT(ToText(Refused()),
              AllOf(HasSubstr("io_uring_setup refused: Operation not permitted"),
                    HasSubstr("backend           epoll\n"),
                    HasSubstr("  no  defer_taskrun       operations go through epoll\n"),
                    HasSubstr("\n  accept     epoll, then call\n"), HasSubstr("\n  receive    epoll, then call\n")));
}

TEST(ProbeReportTest, EachThingThatIsMissingHasItsRemedy) {
  Probe probe = Best();
  probe.capabilities.shrunk = true;
  Lack(probe, Feature::kDeferTaskrun, Capability::kLacking, "io_uring_setup refuses it; Linux 6.1 has it");
  Lack(probe, Feature::kFsync, Capability::kDisabled, "disabled");
  Lack(probe, Feature::kSplice, Capability::kDisabled, "disabled");
  EXPECT_THAT(Remedies(probe),
              ElementsAre(HasSubstr("RLIMIT_MEMLOCK"), HasSubstr("defer_taskrun (completions are"),
                          "for splice, fsync: take them out of PROACTOR_DISABLE"));
  EXPECT_THAT(ToText(probe),
              AllOf(HasSubstr("  no  defer_taskrun       io_uring_setup refuses it; Linux 6.1 has it\n"),
                    HasSubstr("\n  fsync      pool\n"), HasSubstr("only so much memory may be locked")));
}

TEST(ProbeReportTest, WhatNeedsAnotherHasTheRemedyOfThat) {
  Probe probe = Best();
  Lack(probe, Feature::kDeferTaskrun, Capability::kDisabled, "disabled");
  Lack(probe, Feature::kMultishotReceive, Capability::kDisabled, "needs it", Feature::kDeferTaskrun);
  EXPECT_THAT(Remedies(probe), ElementsAre(AllOf(HasSubstr("multishot_recv ("),
                                                 EndsWith("): take defer_taskrun out of PROACTOR_DISABLE")),
                                           "for defer_taskrun: take them out of PROACTOR_DISABLE"));
  Lack(probe, Feature::kDeferTaskrun, Capability::kLacking, "refused");
  Lack(probe, Feature::kMultishotReceive, Capability::kLacking, "needs it", Feature::kDeferTaskrun);
  EXPECT_THAT(Remedies(probe), Each(EndsWith("): Linux 6.1 or later")));
}

// On a kernel that has it all, no other kernel is the remedy.
TEST(ProbeReportTest, WhatIsDisabledHasNoRemedyInTheKernel) {
  for (const proactor::FeatureFacts& facts : proactor::AllFeatures()) {
    if (facts.substitute == proactor::Substitute::kNone) continue;
    proactor::SimulatedSystem system({.seed = 1});
    proactor::FakeKernel kernel(system);
    proactor::RingOptions options = {.disabled = *proactor::ParseFeatures(facts.name)};
    absl::StatusOr<std::unique_ptr<proactor::Ring>> ring = proactor::Ring::Create(options, kernel);
    ASSERT_TRUE(ring.ok()) << ring.status();
    Probe probe = Best();
    probe.capabilities = (*ring)->capabilities();
    EXPECT_THAT(Remedies(probe), AllOf(Not(IsEmpty()), Each(Not(HasSubstr("or later")))));
  }
}

TEST(ProbeReportTest, SaysWhetherTheRingIsRestricted) {
  Probe probe = Best();
  EXPECT_THAT(ToText(probe), HasSubstr("\nrestriction       the ring takes any request\n"));
  EXPECT_EQ(nlohmann::json::parse(ToJson(probe))["restricted"], false);
  probe.capabilities.restricted = true;
  EXPECT_THAT(ToText(probe), HasSubstr("\nrestriction       the ring refuses what the library does not use\n"));
  EXPECT_EQ(nlohmann::json::parse(ToJson(probe))["restricted"], true);
  EXPECT_THAT(ToText(Refused()), HasSubstr("\nrestriction       there is no ring\n"));
}

TEST(ProbeReportTest, AFailureIsAllThereIsToSay) {
  Probe probe = Best();
  probe.capabilities = {};
  probe.status = absl::UnavailableError("io_uring_setup: Operation not permitted; do this");
  EXPECT_THAT(ToText(probe), AllOf(HasSubstr("failure           io_uring_setup"), Not(HasSubstr("features"))));
}

TEST(ProbeReportTest, JsonSaysTheSame) {
  Probe probe = Best();
  Lack(probe, Feature::kFsync, Capability::kDisabled, "disabled");
  nlohmann::json json = nlohmann::json::parse(ToJson(probe));
  EXPECT_EQ(json["kernel"], "6.18.0");
  EXPECT_EQ(json["limits"]["memlock"], 8 << 20);
  EXPECT_TRUE(json["limits"]["nofile"].is_null());
  EXPECT_EQ(json["calls"]["io_uring_setup"]["errno"], EFAULT);
  EXPECT_EQ(json["backend"], "io_uring");
  EXPECT_TRUE(json["failure"].is_null());
  EXPECT_EQ(json["features"]["defer_taskrun"]["state"], "on");
  EXPECT_EQ(json["features"]["defer_taskrun"]["since"], "Linux 6.1");
  EXPECT_EQ(json["features"]["fsync"]["state"], "disabled");
  EXPECT_EQ(json["operations"]["fsync"], "pool");
  EXPECT_EQ(json["operations"]["receive"], "ring, one request for many");
  Lack(probe, Feature::kBufferRing, Capability::kLacking, "Linux 5.19 has it");
  EXPECT_EQ(nlohmann::json::parse(ToJson(probe))["operations"]["receive"], "poll, then call");
  EXPECT_EQ(json["remedies"].size(), 1u);
}

}  // namespace
}  // namespace tools
