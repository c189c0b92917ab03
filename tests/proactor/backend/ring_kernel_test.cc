// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring_kernel.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/memory_map.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(RingKernelTest, TheRealOneAnswersWithErrnoAndKnowsItsRelease) {
  RingKernel& kernel = RingKernel::Real();
  constexpr int kNobody = 1 << 30;
  EXPECT_EQ(kernel.Enter(kNobody, 0, 0, 0, nullptr, 0), -EBADF);
  EXPECT_EQ(kernel.Register(kNobody, IORING_REGISTER_PROBE, nullptr, 0), -EBADF);
  io_uring_params params = {};
  EXPECT_EQ(kernel.Setup(0, &params), -EINVAL);
  EXPECT_THAT(kernel.Release(), MatchesRegex("[0-9]+\\.[0-9]+.*"));
}

TEST(RingKernelTest, AChildDoesNotGetTheMemoryOfARing) {
  RingKernel& kernel = RingKernel::Real();
  io_uring_params params = {};
  int ring = kernel.Setup(4, &params);
  ASSERT_GE(ring, 0);
  const size_t size = params.sq_entries * sizeof(io_uring_sqe);
  int before = MappingsWith("dc");
  void* entries = kernel.Map(ring, size, IORING_OFF_SQES);
  ASSERT_NE(entries, MAP_FAILED);
  EXPECT_EQ(MappingsWith("dc"), before + 1);
  kernel.Unmap(entries, size);
  kernel.Close(ring);
}

TEST(CheckReleaseTest, TheReleasesThatLoseEventsAreRefused) {
  for (const char* release : {"5.11.0", "5.11.22", "5.12.1", "5.13.19", "5.13.19-custom", "5.14.18", "5.15.0",
                              "5.15.2"}) {
    EXPECT_THAT(CheckRelease(release),
                StatusIs(absl::StatusCode::kUnimplemented, AllOf(HasSubstr(release), HasSubstr("5.15.3"))));
  }
}

TEST(CheckReleaseTest, OthersPass) {
  for (const char* release : {"5.10.162", "5.14.19", "5.15.3", "5.15.167", "5.16.0", "6.1.0-32-amd64", "6.11.0",
                              "6.14.1", "15.14.1", "", "nonsense"}) {
    EXPECT_THAT(CheckRelease(release), IsOk()) << release;
  }
}

// Ubuntu 22.04, Debian's backports, RHEL 9: their patches are not in the number.
TEST(CheckReleaseTest, ADistributionsNumberSaysNothing) {
  for (const char* release : {"5.15.0-91-generic", "5.14.0-427.13.1.el9_4.x86_64", "5.11.0-49-generic"}) {
    EXPECT_THAT(CheckRelease(release), IsOk()) << release;
  }
}

}  // namespace
}  // namespace proactor
