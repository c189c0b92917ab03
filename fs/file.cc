// SPDX-License-Identifier: Apache-2.0
#include "proactor/fs/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/context.h"
#include "proactor/errors.h"
#include "proactor/operation/open.h"
#include "proactor/operation/stat.h"
#include "proactor/proactor.h"
#include "proactor/try.h"

namespace proactor {
namespace {

int Flags(const OpenOptions& options) {
  bool write = options.write || options.append;
  int flags = write ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (options.append) flags |= O_APPEND;
  if (options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  // A terminal that is opened must not become the process's own.
  return flags | O_NOCTTY;
}

DescriptorKind KindOf(const struct statx& facts) {
  if (S_ISREG(facts.stx_mode)) return DescriptorKind::kRegularFile;
  if (S_ISFIFO(facts.stx_mode)) return DescriptorKind::kPipe;
  if (S_ISSOCK(facts.stx_mode)) return DescriptorKind::kSocket;
  // Consoles, /dev/tty, and pseudo-terminals: majors 4, 5 and 136 to 143 of Linux's device list.
  unsigned major = facts.stx_rdev_major;
  bool terminal = S_ISCHR(facts.stx_mode) && (major == 4 || major == 5 || (major >= 136 && major <= 143));
  return terminal ? DescriptorKind::kTerminal : DescriptorKind::kOther;
}

}  // namespace

bool FileStatus::is_regular() const { return S_ISREG(mode); }
bool FileStatus::is_directory() const { return S_ISDIR(mode); }

Task<absl::StatusOr<File>> File::Open(std::string path, OpenOptions options) {
  System& system = (co_await CurrentContext()).loop->proactor.system();
  absl::StatusOr<OwnedDescriptor> descriptor = co_await MakeOperation(
      OpenOp{.system = &system, .path = path.c_str(), .flags = Flags(options), .mode = options.mode});
  if (!descriptor.ok()) {
    if (int error = ErrnoOf(descriptor.status())) co_return ErrnoToStatus(error, absl::StrCat("open ", path));
    co_return descriptor.status();
  }
  File file(*std::move(descriptor));
  if (absl::Status status = file.FindKind(); !status.ok()) co_return status;
  co_return file;
}

Task<absl::StatusOr<File>> File::Create(std::string path) {
  return Open(std::move(path), {.write = true, .create = true, .truncate = true});
}

Task<absl::StatusOr<File>> File::Adopt(int descriptor) {
  System& system = (co_await CurrentContext()).loop->proactor.system();
  File file(OwnedDescriptor(system, descriptor, DescriptorKind::kOther));
  if (absl::Status status = file.FindKind(); !status.ok()) co_return status;
  co_return file;
}

Task<absl::StatusOr<File>> File::Inherited(int descriptor) {
  System& system = (co_await CurrentContext()).loop->proactor.system();
  File file(OwnedDescriptor(system, descriptor, DescriptorKind::kOther));
  file.descriptor_->closes = false;
  if (absl::Status status = file.FindKind(); !status.ok()) co_return status;
  co_return file;
}

// Directly: what is asked of an open descriptor is in memory, and the ring would send it to a worker thread.
absl::Status File::FindKind() {
  struct statx facts;
  int result = descriptor_->system.Stat(descriptor_->number, STATX_TYPE, &facts);
  if (result < 0) return ErrnoToStatus(-result, "fstat");
  descriptor_->kind = KindOf(facts);
  return absl::OkStatus();
}

Task<absl::StatusOr<FileStatus>> File::Stat() {
  struct statx facts;
  co_await Try(MakeOperation(StatOp{.descriptor = descriptor_.get(), .facts = &facts}));
  FileStatus status;
  status.size = static_cast<int64_t>(facts.stx_size);
  status.mode = facts.stx_mode;
  status.links = facts.stx_nlink;
  status.device = makedev(facts.stx_dev_major, facts.stx_dev_minor);
  status.inode = facts.stx_ino;
  status.block_size = facts.stx_blksize;
  status.modified = absl::FromUnixSeconds(facts.stx_mtime.tv_sec) + absl::Nanoseconds(facts.stx_mtime.tv_nsec);
  co_return status;
}

}  // namespace proactor
