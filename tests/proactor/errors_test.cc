// SPDX-License-Identifier: Apache-2.0
#include "proactor/errors.h"

#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/testing/status_matchers.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

TEST(ErrorsTest, MessageNamesTheCallAndTheMeaning) {
  EXPECT_THAT(ErrnoToStatus(ECONNRESET, "recv"),
              StatusIs(absl::StatusCode::kUnavailable, "recv: Connection reset by peer"));
  EXPECT_THAT(ErrnoToStatus(ENOENT, "open /no/such/file"),
              StatusIs(absl::StatusCode::kNotFound, "open /no/such/file: No such file or directory"));
}

// kDeadlineExceeded comes only from the scope that set the deadline.
TEST(ErrorsTest, ATimeoutOfTheNetworkIsUnavailable) {
  EXPECT_THAT(ErrnoToStatus(ETIMEDOUT, "connect"), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(ErrorsTest, NoErrnoIsOkOrADeadline) {
  for (int error = 1; error < 200; ++error) {
    absl::StatusCode code = ErrnoToStatus(error, "call").code();
    EXPECT_NE(code, absl::StatusCode::kOk) << error;
    EXPECT_NE(code, absl::StatusCode::kDeadlineExceeded) << error;
  }
}

// Which of the two a write meets is a matter of timing.
TEST(ErrorsTest, APeerThatIsGoneIsUnavailable) {
  EXPECT_THAT(ErrnoToStatus(EPIPE, "send"), StatusIs(absl::StatusCode::kUnavailable, "send: Broken pipe"));
  EXPECT_THAT(ErrnoToStatus(ECONNRESET, "send"), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(ErrorsTest, CancelledIsCancelled) {
  EXPECT_THAT(ErrnoToStatus(ECANCELED, "read"), StatusIs(absl::StatusCode::kCancelled));
}

TEST(ErrorsTest, CodesThatProgramsActOn) {
  EXPECT_EQ(ErrnoToStatus(EINVAL, "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrnoToStatus(EACCES, "").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoToStatus(EPERM, "").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoToStatus(EEXIST, "").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrnoToStatus(EADDRINUSE, "").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrnoToStatus(ECONNREFUSED, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrnoToStatus(EMFILE, "").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoToStatus(ENOSYS, "").code(), absl::StatusCode::kUnimplemented);
}

TEST(ErrorsTest, KeepsTheErrno) {
  for (int error : {EPERM, ECONNRESET, ETIMEDOUT, ECANCELED, 4095}) {
    EXPECT_EQ(ErrnoOf(ErrnoToStatus(error, "call")), error);
  }
}

TEST(ErrorsTest, AStatusFromElsewhereHasNoErrno) {
  EXPECT_EQ(ErrnoOf(absl::OkStatus()), 0);
  EXPECT_EQ(ErrnoOf(absl::InternalError("recv: Connection reset by peer")), 0);
}

TEST(ErrorsTest, SaysTheNumberOfAnErrnoThatNobodyKnows) {
  absl::Status status = ErrnoToStatus(4095, "ioctl");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnknown, "ioctl: Unknown error 4095"));
}

TEST(ErrorsTest, KeepsHowFarItGot) {
  absl::Status status = WithBytesTransferred(ErrnoToStatus(EPIPE, "send"), 12'345);
  EXPECT_THAT(BytesTransferred(status), Optional(size_t{12'345}));
  EXPECT_EQ(ErrnoOf(status), EPIPE) << "One payload replaced the other.";
  EXPECT_THAT(status, StatusIs(ErrnoToStatus(EPIPE, "send").code(), HasSubstr("send")));
}

TEST(ErrorsTest, NothingTransferredIsNotTheSameAsNotKnown) {
  EXPECT_THAT(BytesTransferred(WithBytesTransferred(absl::CancelledError(), 0)), Optional(size_t{0}));
  EXPECT_EQ(BytesTransferred(absl::CancelledError()), std::nullopt);
  EXPECT_EQ(BytesTransferred(absl::OkStatus()), std::nullopt);
}

TEST(ErrorsTest, CountsBeyondThirtyTwoBits) {
  size_t most = std::numeric_limits<size_t>::max();
  EXPECT_THAT(BytesTransferred(WithBytesTransferred(absl::CancelledError(), most)), Optional(most));
}

TEST(ErrorsTest, TheLastCountIsTheOneThatCounts) {
  absl::Status status = WithBytesTransferred(absl::CancelledError(), 1);
  status = WithBytesTransferred(status, 2);
  EXPECT_THAT(BytesTransferred(status), Optional(size_t{2}));
}

}  // namespace
}  // namespace proactor
