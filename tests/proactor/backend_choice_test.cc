// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend_choice.h"

#include <cstdlib>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(BackendChoiceTest, EachWordMeansItsChoice) {
  for (BackendChoice choice : {BackendChoice::kAuto, BackendChoice::kIoUring, BackendChoice::kEpoll}) {
    EXPECT_THAT(ParseBackendChoice(BackendChoiceWord(choice)), IsOkAndHolds(choice));
  }
}

TEST(BackendChoiceTest, AnyOtherWordIsAnErrorThatListsThoseThatThereAre) {
  for (const char* word : {"", "uring", "EPOLL", "epoll ", "auto,epoll"}) {
    EXPECT_THAT(ParseBackendChoice(word), StatusIs(absl::StatusCode::kInvalidArgument,
                                                   AllOf(HasSubstr(word), HasSubstr("auto, io_uring or epoll"))));
  }
}

class BackendChoiceOfEnvironmentTest : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("PROACTOR_BACKEND"); }
};

TEST_F(BackendChoiceOfEnvironmentTest, IsAutomaticWithoutTheVariable) {
  unsetenv("PROACTOR_BACKEND");
  EXPECT_THAT(BackendChoiceOfEnvironment(), IsOkAndHolds(BackendChoice::kAuto));
  setenv("PROACTOR_BACKEND", "", 1);
  EXPECT_THAT(BackendChoiceOfEnvironment(), IsOkAndHolds(BackendChoice::kAuto));
}

TEST_F(BackendChoiceOfEnvironmentTest, IsWhatTheVariableSays) {
  setenv("PROACTOR_BACKEND", "epoll", 1);
  EXPECT_THAT(BackendChoiceOfEnvironment(), IsOkAndHolds(BackendChoice::kEpoll));
}

TEST_F(BackendChoiceOfEnvironmentTest, AWrongWordIsAnErrorThatNamesTheVariable) {
  setenv("PROACTOR_BACKEND", "kqueue", 1);
  EXPECT_THAT(BackendChoiceOfEnvironment(),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("PROACTOR_BACKEND"), HasSubstr("kqueue"))));
}

}  // namespace
}  // namespace proactor
