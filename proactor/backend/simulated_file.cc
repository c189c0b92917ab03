// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {
namespace {

constexpr mode_t kUmask = 022;

statx_timestamp ToTimestamp(absl::Time time) {
  timespec spec = absl::ToTimespec(time);
  statx_timestamp timestamp = {};
  timestamp.tv_sec = spec.tv_sec;
  timestamp.tv_nsec = static_cast<uint32_t>(spec.tv_nsec);
  return timestamp;
}

// A file that somebody has open: the inode, how it was opened, and a position.
class SimulatedFile final : public SimulatedDescription {
 public:
  SimulatedFile(std::shared_ptr<SimulatedInode> inode, std::string path, int flags, const SimulatedClock& clock,
                SimulatedChance& chance)
      : inode_(std::move(inode)), path_(std::move(path)), flags_(flags), clock_(clock), chance_(chance) {}

  int Read(char* buffer, size_t size, int64_t offset) override {
    if ((flags_ & O_ACCMODE) == O_WRONLY) return -EBADF;
    int64_t at = offset < 0 ? position_ : offset;
    if (at >= inode_->size()) return 0;
    size_t count = chance_.Part(std::min(size, static_cast<size_t>(inode_->size() - at)));
    inode_->contents().copy(buffer, count, static_cast<size_t>(at));
    inode_->accessed = clock_.WallTime();
    if (offset < 0) position_ += static_cast<int64_t>(count);
    return static_cast<int>(count);
  }

  int Write(const char* bytes, size_t size, int64_t offset) override {
    if (!Writable()) return -EBADF;
    if (size == 0) return 0;
    // With O_APPEND, Linux's pwrite(2) appends as well.
    int64_t at = (flags_ & O_APPEND) != 0 ? inode_->size() : offset < 0 ? position_ : offset;
    int64_t room = inode_->size() + inode_->free() - at;
    if (room <= 0) return -ENOSPC;
    int64_t count = static_cast<int64_t>(chance_.Part(std::min(size, static_cast<size_t>(room))));
    inode_->Resize(std::max(inode_->size(), at + count));
    inode_->Put(at, std::string_view(bytes, static_cast<size_t>(count)));
    inode_->modified = clock_.WallTime();
    if (offset < 0) position_ = at + count;
    return static_cast<int>(count);
  }

  int Sync() override { return 0; }

  int Truncate(int64_t size) override {
    if (size < 0 || !Writable()) return -EINVAL;
    if (size - inode_->size() > inode_->free()) return -EFBIG;
    inode_->Resize(size);
    inode_->modified = clock_.WallTime();
    return 0;
  }

  void Stat(struct statx& facts) const override {
    facts.stx_mode = static_cast<uint16_t>(S_IFREG | inode_->mode);
    facts.stx_nlink = static_cast<uint32_t>(inode_->links);
    facts.stx_ino = inode_->number;
    facts.stx_size = static_cast<uint64_t>(inode_->size());
    facts.stx_blocks = (facts.stx_size + 511) / 512;
    facts.stx_blksize = 4096;
    facts.stx_btime = ToTimestamp(inode_->born);
    facts.stx_atime = ToTimestamp(inode_->accessed);
    facts.stx_mtime = facts.stx_ctime = ToTimestamp(inode_->modified);
  }

  std::string Describe() const override { return "file " + path_; }

 private:
  bool Writable() const { return (flags_ & O_ACCMODE) != O_RDONLY; }

  std::shared_ptr<SimulatedInode> inode_;
  std::string path_;
  int flags_;
  const SimulatedClock& clock_;
  SimulatedChance& chance_;
  int64_t position_ = 0;
};

}  // namespace

void SimulatedInode::Resize(int64_t size) {
  disk_.used += size - this->size();
  contents_.resize(static_cast<size_t>(size));
}

int SimulatedFileSystem::Open(const std::string& path, int flags, mode_t mode,
                              std::shared_ptr<SimulatedDescription>& result) {
  if (path.empty()) return -ENOENT;
  bool create = (flags & O_CREAT) != 0;
  if (path.back() == '/') return create ? -EISDIR : -ENOENT;
  auto found = files_.find(path);
  if (found == files_.end() && !create) return -ENOENT;
  if (found != files_.end() && create && (flags & O_EXCL) != 0) return -EEXIST;
  if ((flags & O_DIRECTORY) != 0) return -ENOTDIR;

  std::shared_ptr<SimulatedInode> inode = found != files_.end() ? found->second : Create(path, mode & 0777 & ~kUmask);
  if ((flags & O_TRUNC) != 0 && inode->size() > 0) {
    inode->Resize(0);
    inode->modified = clock_.WallTime();
  }
  result = std::make_shared<SimulatedFile>(std::move(inode), path, flags, clock_, chance_);
  return 0;
}

std::shared_ptr<SimulatedInode> SimulatedFileSystem::Create(const std::string& path, mode_t mode) {
  return files_[path] = std::make_shared<SimulatedInode>(disk_, ++last_number_, mode, clock_.WallTime());
}

void SimulatedFileSystem::Write(const std::string& path, std::string_view contents) {
  auto found = files_.find(path);
  std::shared_ptr<SimulatedInode> inode = found != files_.end() ? found->second : Create(path, 0644);
  inode->Resize(0);
  int64_t size = static_cast<int64_t>(contents.size());
  Check(size <= inode->free(), [&] {
    return absl::StrCat("The simulated disk has no room for the ", size, " bytes of ", path, ": set disk_size.");
  });
  inode->Resize(size);
  inode->Put(0, contents);
  inode->modified = clock_.WallTime();
}

std::optional<std::string> SimulatedFileSystem::Read(const std::string& path) const {
  auto found = files_.find(path);
  if (found == files_.end()) return std::nullopt;
  return found->second->contents();
}

int SimulatedFileSystem::Remove(const std::string& path) {
  auto found = files_.find(path);
  if (found == files_.end()) return -ENOENT;
  found->second->links = 0;
  files_.erase(found);
  return 0;
}

}  // namespace proactor
