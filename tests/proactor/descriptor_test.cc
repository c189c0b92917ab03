// SPDX-License-Identifier: Apache-2.0
#include "proactor/descriptor.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <type_traits>
#include <utility>

#include "gtest/gtest.h"
#include "proactor/system.h"

namespace proactor {
namespace {

// A real descriptor, so that whoever closes it can be seen.
int MakeNumber() {
  int number = eventfd(0, EFD_CLOEXEC);
  EXPECT_GE(number, 0);
  return number;
}

bool IsOpen(int number) { return fcntl(number, F_GETFD) >= 0; }

OwnedDescriptor Own(int number) { return OwnedDescriptor(System::Real(), number, DescriptorKind::kOther); }

// Nothing is called on an operation here: that its slot is taken is all that counts.
OperationBase* SomeOperation() {
  alignas(16) static char somewhere[16];
  return reinterpret_cast<OperationBase*>(somewhere);
}

TEST(DescriptorTest, SaysWhatItIs) {
  int number = MakeNumber();
  OwnedDescriptor descriptor(System::Real(), number, DescriptorKind::kPipe);
  EXPECT_TRUE(descriptor);
  EXPECT_EQ(descriptor->number, number);
  EXPECT_EQ(descriptor->kind, DescriptorKind::kPipe);
  EXPECT_EQ(&descriptor->system, &System::Real());
  EXPECT_TRUE(descriptor->closes);
  EXPECT_EQ(descriptor->reading, nullptr);
  EXPECT_EQ(descriptor->writing, nullptr);
}

TEST(DescriptorTest, OwnsNothingAtFirst) {
  OwnedDescriptor descriptor;
  EXPECT_FALSE(descriptor);
  EXPECT_EQ(descriptor.get(), nullptr);
}

TEST(DescriptorTest, ClosesWhenDestroyed) {
  int number = MakeNumber();
  {
    OwnedDescriptor descriptor = Own(number);
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(DescriptorTest, ClosesWhatIsReplaced) {
  int first = MakeNumber();
  int second = MakeNumber();
  OwnedDescriptor descriptor = Own(first);
  descriptor = Own(second);
  EXPECT_FALSE(IsOpen(first));
  EXPECT_TRUE(IsOpen(second));
}

TEST(DescriptorTest, KeepsInheritedOnesOpen) {
  int number = MakeNumber();
  {
    OwnedDescriptor standard_input = Own(number);
    standard_input->closes = false;
  }
  EXPECT_TRUE(IsOpen(number));
  close(number);
}

TEST(DescriptorTest, ReleaseGivesTheNumberAwayOpen) {
  int number = MakeNumber();
  {
    OwnedDescriptor descriptor = Own(number);
    EXPECT_EQ(descriptor.Release(), number);
    EXPECT_FALSE(descriptor) << "Two owners.";
  }
  EXPECT_TRUE(IsOpen(number));
  close(number);
}

TEST(DescriptorTest, StaysAtOneAddressWhileItsOwnerMoves) {
  int number = MakeNumber();
  OwnedDescriptor first = Own(number);
  Descriptor* address = first.get();
  OwnedDescriptor second = std::move(first);
  EXPECT_EQ(second.get(), address);
  EXPECT_FALSE(first);
  first = std::move(second);
  EXPECT_EQ(first.get(), address);
  EXPECT_TRUE(IsOpen(number));
  static_assert(!std::is_copy_constructible_v<OwnedDescriptor>);
}

// With an operation in flight, too: that is what the address is for.
TEST(DescriptorTest, MovesWhileAnOperationIsInFlight) {
  OwnedDescriptor first = Own(MakeNumber());
  first->reading = SomeOperation();
  OwnedDescriptor second = std::move(first);
  EXPECT_EQ(second->reading, SomeOperation());
  second->reading = nullptr;
}

void CloseWithSlotTaken(OperationBase* Descriptor::*slot) {
  OwnedDescriptor descriptor = Own(MakeNumber());
  (*descriptor.get()).*slot = SomeOperation();
}

void ReleaseWithSlotTaken(OperationBase* Descriptor::*slot) {
  OwnedDescriptor descriptor = Own(MakeNumber());
  (*descriptor.get()).*slot = SomeOperation();
  descriptor.Release();
}

constexpr char kInFlight[] =
    "fatal: Descriptor [0-9]+ was closed or given away while an operation on it was in flight: cancel the operation "
    "and "
    "await its end first";

TEST(DescriptorDeathTest, ClosingUnderAReaderIsFatal) {
  EXPECT_DEATH(CloseWithSlotTaken(&Descriptor::reading), kInFlight);
}

TEST(DescriptorDeathTest, ClosingUnderAWriterIsFatal) {
  EXPECT_DEATH(CloseWithSlotTaken(&Descriptor::writing), kInFlight);
}

TEST(DescriptorDeathTest, GivingAwayUnderAReaderIsFatal) {
  EXPECT_DEATH(ReleaseWithSlotTaken(&Descriptor::reading), kInFlight);
}

TEST(DescriptorDeathTest, GivingAwayUnderAWriterIsFatal) {
  EXPECT_DEATH(ReleaseWithSlotTaken(&Descriptor::writing), kInFlight);
}

}  // namespace
}  // namespace proactor
