// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/registered_file.h"

#include <liburing.h>

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/system.h"
#include "proactor/testing/simulated_world.h"
#include "tests/support/plain_operation.h"

namespace proactor {
namespace {

class RegisteredFileTest : public testing::Test {
 protected:
  RegisteredFileTest() { multishot_.home = &loop_; }

  // The place that the entry of an operation on it names; -1: it names the descriptor.
  int PlaceNamed(const Loop& loop) {
    io_uring_sqe entry = {};
    entry.fd = descriptor_.number;
    NameRegisteredFile(multishot_, loop, entry);
    if ((entry.flags & IOSQE_FIXED_FILE) != 0) return entry.fd;
    EXPECT_EQ(entry.fd, descriptor_.number);
    EXPECT_EQ(entry.flags, 0);
    return -1;
  }

  int PlaceNamed(io_uring_sqe entry) {
    NameRegisteredFile(multishot_, loop_, entry);
    return (entry.flags & IOSQE_FIXED_FILE) != 0 ? entry.fd : -1;
  }

  SimulatedWorld world_{{.seed = 1}};
  Proactor& proactor_ = world_.scheduler().proactor();
  Loop loop_{proactor_, proactor_, proactor_.counters(), {}, TimerWheel({}), {}};
  Loop other_loop_{proactor_, proactor_, proactor_.counters(), {}, TimerWheel({}), {}};
  Descriptor descriptor_{.system = System::Real(), .number = 77, .kind = DescriptorKind::kSocket};
  PlainMultishot multishot_{descriptor_};
};

TEST_F(RegisteredFileTest, IsNamedIfThereIsOne) {
  EXPECT_EQ(PlaceNamed(loop_), -1);
  multishot_.registered = 0;
  EXPECT_EQ(PlaceNamed(loop_), 0);
  multishot_.registered = 1023;
  EXPECT_EQ(PlaceNamed(loop_), 1023);
}

// Such as by a stream that has gone to another scheduler, and writes before it receives.
TEST_F(RegisteredFileTest, OfAnotherLoopOrOnItsWayIsNotNamed) {
  multishot_.registered = 5;
  EXPECT_EQ(PlaceNamed(other_loop_), -1);
  multishot_.moving = true;
  EXPECT_EQ(PlaceNamed(loop_), -1);
}

// Such as of an operation of the user's own.
TEST_F(RegisteredFileTest, AnEntryThatIsAboutAnotherOneOrNotForAtOnceIsLeftAlone) {
  multishot_.registered = 5;
  io_uring_sqe entry = {};
  entry.fd = descriptor_.number;
  EXPECT_EQ(PlaceNamed(entry), 5);
  entry.flags = IOSQE_ASYNC;
  EXPECT_EQ(PlaceNamed(entry), -1) << "a worker would look for the place some time later";
  entry.flags = 0;
  entry.fd = descriptor_.number + 1;
  EXPECT_EQ(PlaceNamed(entry), -1);
}

}  // namespace
}  // namespace proactor
