// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/registered_files.h"

#include <liburing.h>

#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/feature.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "tests/support/plain_operation.h"

namespace proactor {
namespace {

class RegisteredFilesTest : public testing::Test {
 protected:
  void SetUp() override { UseKernel(FakeKernelProfile::Newest()); }

  void UseKernel(FakeKernelProfile profile, RingOptions options = {}) {
    files_.reset();
    ring_.reset();
    kernel_ = std::make_unique<FakeKernel>(system_, FakeKernelOptions{.profile = profile});
    absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create(options, *kernel_);
    ASSERT_THAT(ring, IsOk());
    ring_ = *std::move(ring);
    ASSERT_THAT(ring_->Enable(), IsOk());
    files_ = std::make_unique<RegisteredFiles>(*ring_);
  }

  // As of a busy stream.
  struct Stream {
    explicit Stream(SimulatedSystem& system) { descriptor.number = system.MakePipe().first; }
    Descriptor descriptor{.system = System::Real(), .number = -1, .kind = DescriptorKind::kSocket};
    PlainMultishot multishot{descriptor};
  };

  int MostPlaces() {
    int places = 0;
    while (true) {
      Stream stream(system_);
      if (!files_->Add(stream.multishot)) return places;
      ++places;
    }
  }

  SimulatedSystem system_{{.seed = 1}};
  std::unique_ptr<FakeKernel> kernel_;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<RegisteredFiles> files_;
};

TEST_F(RegisteredFilesTest, AStreamHasItsPlaceFromWhenItIsGivenUntilItIsTaken) {
  Stream first(system_);
  Stream second(system_);
  EXPECT_EQ(first.multishot.registered, -1);
  EXPECT_TRUE(files_->Add(first.multishot));
  EXPECT_FALSE(files_->Add(first.multishot)) << "twice";
  EXPECT_EQ(first.multishot.registered, 0);
  EXPECT_EQ(second.multishot.registered, -1);
  EXPECT_TRUE(files_->Add(second.multishot));
  EXPECT_EQ(second.multishot.registered, 1);
  files_->Remove(first.multishot, false);
  files_->Remove(first.multishot, false);
  EXPECT_EQ(first.multishot.registered, -1);
  EXPECT_EQ(second.multishot.registered, 1);
}

TEST_F(RegisteredFilesTest, APlaceIsAnothersAtOnceIfNothingIsInFlight) {
  Stream first(system_);
  Stream second(system_);
  EXPECT_TRUE(files_->Add(first.multishot));
  io_uring_prep_nop(ring_->NextEntry());
  ring_->Push();  // Somebody else's.
  files_->Remove(first.multishot, false);
  EXPECT_TRUE(files_->Add(second.multishot));
  EXPECT_EQ(second.multishot.registered, 0);
}

TEST_F(RegisteredFilesTest, APlaceThatMayBeNamedIsAnothersOnceAllHasBeenSubmitted) {
  Stream first(system_);
  Stream second(system_);
  Stream third(system_);
  internal::Promise<void> promise;
  Context context;
  PlainOperation operation(promise, context);
  EXPECT_TRUE(files_->Add(first.multishot));
  first.descriptor.writing = &operation;
  io_uring_prep_nop(ring_->NextEntry());
  ring_->Push();
  files_->Remove(first.multishot, false);
  files_->Settle();
  EXPECT_TRUE(files_->Add(second.multishot));
  EXPECT_EQ(second.multishot.registered, 1);
  EXPECT_EQ(ring_->Enter(0, MonotonicTime::Past()), 1);
  files_->Settle();
  EXPECT_TRUE(files_->Add(third.multishot));
  EXPECT_EQ(third.multishot.registered, 0);
}

TEST_F(RegisteredFilesTest, WhatOtherLoopsDoWithAStreamIsNotLookedAt) {
  Stream first(system_);
  Stream second(system_);
  internal::Promise<void> promise;
  Context context;
  PlainOperation of_another_loop(promise, context);
  EXPECT_TRUE(files_->Add(first.multishot));
  first.descriptor.writing = &of_another_loop;
  io_uring_prep_nop(ring_->NextEntry());
  ring_->Push();
  files_->Remove(first.multishot, true);
  EXPECT_TRUE(files_->Add(second.multishot));
  EXPECT_EQ(second.multishot.registered, 0);
}

TEST_F(RegisteredFilesTest, ThereAreAsManyPlacesAsTheProcessMayRegister) {
  EXPECT_EQ(MostPlaces(), RegisteredFiles::kMost);
  FakeKernelProfile profile = FakeKernelProfile::Newest();
  profile.most_files = 300;
  UseKernel(profile);
  EXPECT_EQ(MostPlaces(), 256);
  profile.most_files = 20;
  UseKernel(profile);
  EXPECT_EQ(MostPlaces(), 0);
}

TEST_F(RegisteredFilesTest, KernelsThatHaveNoneOrAreNotToUseThemAreNotAsked) {
  UseKernel(FakeKernelProfile::Linux6_6());
  EXPECT_EQ(MostPlaces(), 0);
  UseKernel(FakeKernelProfile::Newest(), {.disabled = *ParseFeatures("registered_files")});
  EXPECT_EQ(MostPlaces(), 0);
  UseKernel(FakeKernelProfile::Newest(), {.restricted = true});
  EXPECT_EQ(MostPlaces(), 0);
}

TEST_F(RegisteredFilesTest, AFileThatIsNotOpenGetsNoPlace) {
  Stream stream(system_);
  system_.Close(stream.descriptor.number);
  EXPECT_FALSE(files_->Add(stream.multishot));
  EXPECT_EQ(stream.multishot.registered, -1);
  Stream open(system_);
  EXPECT_TRUE(files_->Add(open.multishot));
  EXPECT_EQ(open.multishot.registered, 0);
}

}  // namespace
}  // namespace proactor
