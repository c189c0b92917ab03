// SPDX-License-Identifier: Apache-2.0
//
// File: a regular file, or whatever else open(2) gives: a FIFO, a terminal, a device.
//
//   File file = co_await Try(File::Open("data.bin", {.write = true, .create = true}));
//   co_await Try(file.WriteAll("hello"));
//   co_await Try(file.Sync());
//   co_await Try(file.Close());
//
// `Read` and `WriteAll` go on at the file's position, one of each at a time. `ReadAt` and `WriteAllAt` take an offset
// and may be in flight in any number. Buffers are borrowed until the operation has ended. Destroying a file closes it;
// `Close` also says whether a late write failed.
//
// Errors: those of the system call, such as `kNotFound` "open: No such file or directory". Cancelled: `kCancelled`,
//   unless the result came first. A read or write of a regular file that the kernel has begun is not interrupted: it
//   delays the scope.
// Threads: the scheduler's that first awaits something of it; it may move to another while nothing is in flight.
#ifndef PROACTOR_FS_FILE_H_
#define PROACTOR_FS_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/descriptor.h"
#include "proactor/operation/close.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/read.h"
#include "proactor/operation/splice.h"
#include "proactor/operation/sync.h"
#include "proactor/operation/truncate.h"
#include "proactor/operation/write_all.h"
#include "proactor/task.h"

namespace proactor {

// How to open a file: for reading, unless said otherwise; see open(2).
struct OpenOptions {
  bool read = true;
  bool write = false;
  bool append = false;     // O_APPEND: every write goes to the end, wherever the position is. Implies write.
  bool create = false;     // O_CREAT: make it if it is not there.
  bool exclusive = false;  // O_EXCL: with create, fail with kAlreadyExists if it is.
  bool truncate = false;   // O_TRUNC: empty it if it is.
  mode_t mode = 0666;      // Permissions of a new file, less the process's umask.
};
static_assert(std::is_trivially_destructible_v<OpenOptions>);

struct FileStatus {
  int64_t size = 0;
  mode_t mode = 0;  // Type and permissions; see inode(7).
  uint64_t links = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint32_t block_size = 0;  // What the file system likes to be read by.
  absl::Time modified;

  bool is_regular() const;
  bool is_directory() const;
};

class File {
 public:
  File() = default;

  // Opens or creates. Result: the file, or the failure of open(2) with the path in the message.
  static Task<absl::StatusOr<File>> Open(std::string path, OpenOptions options = {});

  // Open for reading and writing, made if need be, emptied if it was there.
  static Task<absl::StatusOr<File>> Create(std::string path);

  // The process's own. They are not closed, and keep the flags that they were inherited with. `kInvalidArgument`
  // "fstat: Bad file descriptor" when the process was started without.
  static Task<absl::StatusOr<File>> StandardInput() { return Inherited(0); }
  static Task<absl::StatusOr<File>> StandardOutput() { return Inherited(1); }
  static Task<absl::StatusOr<File>> StandardError() { return Inherited(2); }

  // Takes over a descriptor from elsewhere, such as a pipe or a signalfd, and closes it in the end.
  static Task<absl::StatusOr<File>> Adopt(int descriptor);

  // Reads at the position, waiting for at least one byte where there may be more. Result: how many bytes; 0 at the end.
  // An empty buffer is `kInvalidArgument`.
  Operation<ReadOp> Read(std::span<char> buffer) {
    return MakeOperation(ReadOp{{.descriptor = descriptor_.get(), .buffer = buffer}});
  }

  // Reads at an offset in bytes, which has no effect on the position. Result: how many bytes; 0 at or behind the end.
  Operation<ReadAtOp> ReadAt(int64_t offset, std::span<char> buffer) {
    return MakeOperation(ReadAtOp{{.descriptor = descriptor_.get(), .buffer = buffer, .offset = offset}});
  }

  // Writes all of the bytes, at the position or at an offset. Result: OK. A failure, such as a full disk, says in its
  // payload how many were written (`BytesTransferred` in errors.h). They are safe from a crash after `Sync` only.
  Operation<WriteAllOp> WriteAll(std::string_view bytes) {
    return MakeOperation(WriteAllOp{{.descriptor = descriptor_.get(), .bytes = bytes}});
  }
  Operation<WriteAllAtOp> WriteAllAt(int64_t offset, std::string_view bytes) {
    return MakeOperation(WriteAllAtOp{{.descriptor = descriptor_.get(), .bytes = bytes, .offset = offset}});
  }

  // Moves up to `size` bytes from this file's position into a pipe, waiting for room, without copying them (splice(2)):
  // what changes in the file before the pipe is read may change in the pipe, too. Result: how many bytes; 0 at the end.
  // `kInvalidArgument` where that is not possible, such as between anything but a regular file and a pipe: read and
  // write instead. Nobody is left to read: EPIPE, with or without SIGPIPE.
  Operation<SpliceOp> SpliceTo(File& pipe, size_t size) {
    return MakeOperation(SpliceOp{.input = descriptor_.get(), .descriptor = pipe.descriptor_.get(), .size = size});
  }

  // Forces what was written to the device: with the metadata (fsync(2)), or as much as reading it back needs
  // (fdatasync(2)).
  Operation<SyncOp> Sync() { return MakeOperation(SyncOp{.descriptor = descriptor_.get()}); }
  Operation<SyncOp> SyncData() { return MakeOperation(SyncOp{.descriptor = descriptor_.get(), .data_only = true}); }

  Task<absl::StatusOr<FileStatus>> Stat();

  // Cuts the file off at `size` bytes, or extends it with zeros.
  Operation<TruncateOp> Truncate(int64_t size) {
    return MakeOperation(TruncateOp{.descriptor = descriptor_.get(), .size = size});
  }

  // Closes, and says whether that went well. What is in flight is cancelled, and has ended before: with its result, if
  // that came first, or could not be kept from coming.
  Operation<CloseOp> Close() { return MakeOperation(CloseOp{.descriptor = descriptor_.get()}); }

  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  int descriptor_number() const { return descriptor_->number; }
  DescriptorKind kind() const { return descriptor_->kind; }

 private:
  explicit File(OwnedDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  static Task<absl::StatusOr<File>> Inherited(int descriptor);
  // Finds out what the descriptor is.
  absl::Status FindKind();

  OwnedDescriptor descriptor_;
};

}  // namespace proactor

#endif  // PROACTOR_FS_FILE_H_
