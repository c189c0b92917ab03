// SPDX-License-Identifier: Apache-2.0
//
// SimulatedFileSystem: regular files in memory, each by its path.
//
//   SimulatedFileSystem files(clock, chance, 1 << 20);
//   std::shared_ptr<SimulatedDescription> file;
//   int result = files.Open("notes.txt", O_RDWR | O_CREAT, 0644, file);
//
// There are no directories: a path is a name, compared as it is written. A removed file lives on in the descriptors
// that are open. The disk has a size, and a write that does not fit is cut short, and then fails with -ENOSPC.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_FILE_H_
#define PROACTOR_BACKEND_SIMULATED_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proactor/backend/simulated_chance.h"
#include "proactor/backend/simulated_clock.h"
#include "proactor/backend/simulated_description.h"

namespace proactor {

// How full a disk is.
struct SimulatedDisk {
  int64_t size;
  int64_t used = 0;
};

// The file itself, POSIX's inode: shared by its path and all who have it open.
class SimulatedInode {
 public:
  SimulatedInode(SimulatedDisk& disk, uint64_t number, mode_t mode, absl::Time now)
      : number(number), mode(mode), born(now), accessed(now), modified(now), disk_(disk) {}
  ~SimulatedInode() { disk_.used -= size(); }

  const std::string& contents() const { return contents_; }
  int64_t size() const { return static_cast<int64_t>(contents_.size()); }
  int64_t free() const { return disk_.size - disk_.used; }

  // Cuts the end off, or adds zeros, for which there must be room.
  void Resize(int64_t size);
  // Puts bytes at a place inside.
  void Put(int64_t offset, std::string_view bytes) {
    contents_.replace(static_cast<size_t>(offset), bytes.size(), bytes);
  }

  const uint64_t number;
  const mode_t mode;
  int links = 1;
  const absl::Time born;
  absl::Time accessed;
  absl::Time modified;

 private:
  SimulatedDisk& disk_;
  std::string contents_;
};

class SimulatedFileSystem {
 public:
  SimulatedFileSystem(const SimulatedClock& clock, SimulatedChance& chance, int64_t disk_size)
      : clock_(clock), chance_(chance), disk_{.size = disk_size} {}

  // open(2). Yields 0 and the description, or -errno.
  int Open(const std::string& path, int flags, mode_t mode, std::shared_ptr<SimulatedDescription>& result);

  // For tests. Writing ends the process if the disk is too small.
  void Write(const std::string& path, std::string_view contents);
  std::optional<std::string> Read(const std::string& path) const;
  // unlink(2): 0 or -ENOENT.
  int Remove(const std::string& path);

 private:
  std::shared_ptr<SimulatedInode> Create(const std::string& path, mode_t mode);

  const SimulatedClock& clock_;
  SimulatedChance& chance_;
  SimulatedDisk disk_;
  uint64_t last_number_ = 1;
  std::map<std::string, std::shared_ptr<SimulatedInode>> files_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_FILE_H_
