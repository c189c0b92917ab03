// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_files.h"

#include <cerrno>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/backend/simulated_system.h"

namespace proactor {
namespace {

class FakeFilesTest : public testing::Test {
 protected:
  int Update(unsigned place, int descriptor) {
    io_uring_files_update update = {};
    update.offset = place;
    update.fds = reinterpret_cast<uintptr_t>(&descriptor);
    return files_.Update(update, 1);
  }

  SimulatedSystem system_{{.seed = 1}};
  std::pair<int, int> pipe_ = system_.MakePipe();
  FakeFiles files_{system_};
};

TEST_F(FakeFilesTest, APlaceStandsForADescriptorUntilItIsFreed) {
  const int descriptors[] = {-1, pipe_.first, -1};
  EXPECT_EQ(files_.Register(descriptors), 0);
  EXPECT_EQ(files_.At(1), pipe_.first);
  EXPECT_EQ(files_.At(2), -EBADF);
  EXPECT_EQ(Update(2, pipe_.second), 1);
  EXPECT_EQ(files_.At(2), pipe_.second);
  EXPECT_EQ(files_.count(), 2u);
  EXPECT_EQ(Update(1, -1), 1);
  EXPECT_EQ(files_.At(1), -EBADF);
  EXPECT_EQ(files_.count(), 1u);
}

TEST_F(FakeFilesTest, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(Update(0, pipe_.first), -ENXIO) << "there is no table";
  const int descriptors[] = {-1, -1};
  const int closed[] = {-1, 12345};
  EXPECT_EQ(files_.Register({}), -EINVAL);
  EXPECT_EQ(files_.Register(closed), -EBADF);
  EXPECT_EQ(files_.Register(descriptors), 0);
  EXPECT_EQ(files_.Register(descriptors), -EBUSY);
  EXPECT_EQ(Update(2, pipe_.first), -EINVAL);
  EXPECT_EQ(Update(1, 12345), -EBADF);
  EXPECT_EQ(files_.At(-1), -EBADF);
  EXPECT_EQ(files_.At(2), -EBADF);
}

TEST_F(FakeFilesTest, ANameOfWhatWasClosedIsFatal) {
  EXPECT_EQ(files_.Register({&pipe_.first, 1}), 0);
  system_.Close(pipe_.first);
  EXPECT_DEATH(files_.At(0), "whose descriptor was closed");
  system_.MakePipe();  // With the same numbers.
  EXPECT_DEATH(files_.At(0), "whose descriptor was closed");
}

}  // namespace
}  // namespace proactor
