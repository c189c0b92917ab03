// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/user_data.h"

#include <string>

#include "gtest/gtest.h"
#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"
#include "proactor/system.h"
#include "proactor/task.h"

namespace proactor {
namespace {

class PlainOperation final : public OperationBase {
 public:
  PlainOperation(PromiseBase& promise, const Context& context) : OperationBase(promise, context) {}
  void Prepare(io_uring_sqe&) override {}
  int Perform(System&) override { return 0; }
  Readiness readiness() const override { return Readiness::kBlocking; }
  Descriptor* descriptor() const override { return nullptr; }
  std::coroutine_handle<> Resume() override { return nullptr; }
  std::string Describe() const override { return "nothing"; }
};

class PlainMultishot final : public Multishot {
 public:
  explicit PlainMultishot(Descriptor& descriptor) : Multishot(descriptor) {}
  Feature feature() const override { return Feature::kMultishotReceive; }
  void Prepare(io_uring_sqe&) override {}
  bool Take(int, int, bool) override { return false; }
  bool wanted() const override { return false; }
  bool HasResult() const override { return false; }
  bool HasUnreadBytes() const override { return false; }
  int Copy(char*, size_t) override { return 0; }
};

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
