// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/user_data.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/system.h"
#include "proactor/task.h"
#include "tests/support/plain_operation.h"

namespace proactor {
namespace {

TEST(UserDataTest, NamesAnOperationWhateverItsGeneration) {
  internal::Promise<void> promise;
  Context context;
  PlainOperation operation(promise, context);
  uint64_t previous = UserData(operation);
  for (unsigned generation : {1u, 7u, 0x7fffu, 0x8000u, 0xffffu}) {
    operation.generation = static_cast<uint16_t>(generation);
    EXPECT_EQ(KindOf(UserData(operation)), EntryKind::kOperation);
    EXPECT_EQ(OperationOf(UserData(operation)), &operation);
    EXPECT_NE(UserData(operation), previous) << "a request to cancel the one before would hit it";
    previous = UserData(operation);
  }
}

TEST(UserDataTest, NamesAMultishotRequest) {
  Descriptor descriptor{.system = System::Real(), .number = -1, .kind = DescriptorKind::kSocket};
  PlainMultishot multishot(descriptor);
  EXPECT_EQ(KindOf(UserData(multishot)), EntryKind::kMultishot);
  EXPECT_EQ(MultishotOf(UserData(multishot)), &multishot);
}

TEST(UserDataTest, SaysWhatAnEntryIsThatIsAboutNobody) {
  EXPECT_EQ(KindOf(UserData(EntryKind::kWake)), EntryKind::kWake);
  EXPECT_EQ(KindOf(UserData(EntryKind::kCancelRequest)), EntryKind::kCancelRequest);
}

}  // namespace
}  // namespace proactor
