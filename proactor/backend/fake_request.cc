// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_request.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {
namespace {

constexpr unsigned kOpTruncate = 55;  // Linux 6.9, newer than the liburing that this builds with.

constexpr unsigned kZeroCopyReportsUsage = 1u << 3;  // Linux 6.2
constexpr unsigned kUsageCopied = 1u << 31;

bool IsZeroCopy(unsigned opcode) { return opcode == IORING_OP_SEND_ZC || opcode == IORING_OP_SENDMSG_ZC; }
bool IsSend(unsigned opcode) {
  return opcode == IORING_OP_SEND || opcode == IORING_OP_SENDMSG || IsZeroCopy(opcode);
}
bool IsMessage(unsigned opcode) {
  return opcode == IORING_OP_RECVMSG || opcode == IORING_OP_SENDMSG || opcode == IORING_OP_SENDMSG_ZC;
}
bool IsReceive(unsigned opcode) { return opcode == IORING_OP_RECV || opcode == IORING_OP_RECVMSG; }

}  // namespace

FakeRequest::FakeRequest(const io_uring_sqe& entry) : entry_(entry) {
  if (entry.opcode == IORING_OP_OPENAT) bytes_ = static_cast<const char*>(address());
  if (entry.opcode == IORING_OP_CONNECT) bytes_.assign(static_cast<const char*>(address()), entry.off);
  if (IsMessage(entry.opcode)) {
    const msghdr& message = *static_cast<const msghdr*>(address());
    parts_.assign(message.msg_iov, message.msg_iov + message.msg_iovlen);
  }
}

bool FakeRequest::MayBeRefused() const {
  switch (entry_.opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_ACCEPT:
    case IORING_OP_SEND:
    case IORING_OP_RECV:
    case IORING_OP_SENDMSG:
    case IORING_OP_RECVMSG:
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC:
      return done_ == 0 && (entry_.flags & IOSQE_ASYNC) == 0;
    default:
      return false;
  }
}

bool FakeRequest::IsWork(System& system) const {
  switch (entry_.opcode) {
    case IORING_OP_OPENAT:
    case IORING_OP_CLOSE:
    case IORING_OP_FSYNC:
    case IORING_OP_STATX:
    case kOpTruncate:
      return true;
    case IORING_OP_READ:
    case IORING_OP_WRITE: {
      struct statx facts = {};
      return system.Stat(entry_.fd, STATX_TYPE, &facts) == 0 && S_ISREG(facts.stx_mode);
    }
    default:
      return false;
  }
}

std::optional<FakeResult> FakeRequest::Try(System& system, FakeBuffers& buffers, bool send_continues) {
  const unsigned opcode = entry_.opcode;
  if (notifies_) return Notification();
  if ((entry_.flags & IOSQE_BUFFER_SELECT) != 0) return TryWithBuffer(system, buffers);
  int result = Call(system);
  // The library asks for SPLICE_F_NONBLOCK: EAGAIN is a result.
  if (opcode == IORING_OP_SPLICE) return FakeResult{result};
  if (opcode == IORING_OP_ACCEPT) return Accepted(result);
  bool transfer = IsSend(opcode) || IsReceive(opcode);
  bool may_wait = !transfer || (entry_.msg_flags & MSG_DONTWAIT) == 0;
  if (result == -EAGAIN && may_wait) return std::nullopt;
  if (!transfer) return FakeResult{result};
  bool all = (entry_.msg_flags & MSG_WAITALL) != 0 && (IsReceive(opcode) || send_continues);
  std::optional<int> moved = Transferred(result, all);
  if (!moved.has_value()) return std::nullopt;
  return IsZeroCopy(opcode) ? SentWithoutCopy(*moved) : FakeResult{*moved};
}

std::optional<FakeResult> FakeRequest::Accepted(int result) const {
  if (result == -EAGAIN) return std::nullopt;
  bool multishot = (entry_.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
  return FakeResult{result, multishot && result >= 0 ? IORING_CQE_F_MORE : 0u};
}

// Without a buffer it fails at once, whether there are bytes or not.
std::optional<FakeResult> FakeRequest::TryWithBuffer(System& system, FakeBuffers& buffers) {
  Check(entry_.opcode == IORING_OP_RECV, "The fake kernel provides buffers for recv only.");
  std::optional<FakeBuffers::Buffer> buffer = buffers.Take(entry_.buf_group);
  if (!buffer.has_value()) return FakeResult{-ENOBUFS};
  unsigned size = entry_.len != 0 ? std::min(entry_.len, buffer->size) : buffer->size;
  int result = system.Receive(entry_.fd, buffer->address, size);
  if (result <= 0) buffers.PutBack(entry_.buf_group);
  if (result == -EAGAIN) return std::nullopt;
  if (result <= 0) return FakeResult{result};
  unsigned flags = IORING_CQE_F_BUFFER | unsigned{buffer->number} << IORING_CQE_BUFFER_SHIFT;
  if ((entry_.ioprio & IORING_RECV_MULTISHOT) != 0) flags |= IORING_CQE_F_MORE;
  if (system.Poll(entry_.fd, POLLIN) > 0) flags |= IORING_CQE_F_SOCK_NONEMPTY;
  return FakeResult{result, flags};
}

// Failures are followed by a notification too.
FakeResult FakeRequest::SentWithoutCopy(int result) {
  notifies_ = true;
  bytes_ = Bytes();
  return {result, IORING_CQE_F_MORE};
}

FakeResult FakeRequest::Notification() const {
  Check(Bytes() == bytes_, "The buffer of a send without copying was changed before the kernel said that it is free.");
  bool reports = (entry_.ioprio & kZeroCopyReportsUsage) != 0;
  return {reports ? static_cast<int>(kUsageCopied) : 0, IORING_CQE_F_NOTIF};
}

std::string FakeRequest::Bytes() const {
  if (!IsMessage(entry_.opcode)) return std::string(static_cast<const char*>(address()), entry_.len);
  std::string bytes;
  for (const iovec& part : parts_) bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return bytes;
}

std::optional<int> FakeRequest::Transferred(int result, bool goes_on) {
  if (result <= 0) return done_ > 0 ? done_ : result;
  done_ += result;
  size_t size = IsMessage(entry_.opcode) ? SizeOfMessage() : entry_.len;
  return goes_on && static_cast<size_t>(done_) < size ? std::nullopt : std::optional(done_);
}

int FakeRequest::Call(System& system) {
  const int fd = entry_.fd;
  const auto offset = static_cast<int64_t>(entry_.off);
  const auto done = static_cast<size_t>(done_);
  char* rest = static_cast<char*>(address()) + done;
  std::vector<iovec> parts;
  switch (static_cast<unsigned>(entry_.opcode)) {
    case IORING_OP_NOP:
      return 0;
    case IORING_OP_READ:
      return system.Read(fd, address(), entry_.len, offset);
    case IORING_OP_WRITE:
      return system.Write(fd, address(), entry_.len, offset);
    case IORING_OP_FSYNC:
      return system.Sync(fd, (entry_.fsync_flags & IORING_FSYNC_DATASYNC) != 0);
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
      return system.Send(fd, rest, entry_.len - done);
    case IORING_OP_RECV:
      return system.Receive(fd, rest, entry_.len - done);
    case IORING_OP_SENDMSG:
    case IORING_OP_SENDMSG_ZC:
      return system.SendMessage(fd, RestOfMessage(parts), (entry_.msg_flags & MSG_MORE) != 0);
    case IORING_OP_RECVMSG: {
      msghdr message = RestOfMessage(parts);
      return system.ReceiveMessage(fd, message);
    }
    case IORING_OP_ACCEPT:
      return system.Accept(fd, static_cast<sockaddr*>(address()), reinterpret_cast<socklen_t*>(entry_.addr2));
    case IORING_OP_CONNECT: {
      int result = system.Connect(fd, reinterpret_cast<const sockaddr*>(bytes_.data()),
                                  static_cast<socklen_t>(bytes_.size()));
      return result == -EINPROGRESS || result == -EALREADY ? -EAGAIN : result;
    }
    case IORING_OP_OPENAT:
      return system.Open(bytes_.c_str(), static_cast<int>(entry_.open_flags), entry_.len);
    case IORING_OP_CLOSE:
      return system.Close(fd);
    case IORING_OP_STATX:
      return system.Stat(fd, entry_.len, reinterpret_cast<struct statx*>(entry_.off));
    case IORING_OP_SPLICE:
      return system.Splice(entry_.splice_fd_in, fd, entry_.len);
    case kOpTruncate:
      return system.Truncate(fd, offset);
    default:
      CheckFailed(absl::StrCat("The fake kernel cannot perform the opcode ", static_cast<unsigned>(entry_.opcode),
                               "; teach it to, in fake_request.cc."));
  }
}

size_t FakeRequest::SizeOfMessage() const {
  size_t size = 0;
  for (const iovec& part : parts_) size += part.iov_len;
  return size;
}

msghdr FakeRequest::RestOfMessage(std::vector<iovec>& parts) const {
  auto skip = static_cast<size_t>(done_);
  for (const iovec& part : parts_) {
    size_t skipped = std::min(skip, part.iov_len);
    skip -= skipped;
    parts.push_back({static_cast<char*>(part.iov_base) + skipped, part.iov_len - skipped});
  }
  msghdr message = {};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  return message;
}

}  // namespace proactor
