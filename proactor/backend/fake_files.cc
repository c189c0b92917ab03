// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_files.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proactor/log.h"

namespace proactor {

bool FakeFiles::Set(File& file, int descriptor) const {
  if (descriptor == -1) {
    file = {};
    return true;
  }
  std::shared_ptr<const SimulatedDescription> description = system_.DescriptionOf(descriptor);
  if (description == nullptr) return false;
  file = {descriptor, std::move(description)};
  return true;
}

int FakeFiles::Register(std::span<const int> descriptors) {
  if (!files_.empty()) return -EBUSY;
  if (descriptors.empty()) return -EINVAL;
  std::vector<File> files(descriptors.size());
  for (size_t i = 0; i < files.size(); ++i) {
    if (!Set(files[i], descriptors[i])) return -EBADF;
  }
  files_ = std::move(files);
  return 0;
}

int FakeFiles::Update(const io_uring_files_update& update, unsigned count) {
  if (files_.empty()) return -ENXIO;
  if (size_t{update.offset} + count > files_.size() || count == 0) return -EINVAL;
  const int* descriptors = reinterpret_cast<const int*>(update.fds);
  for (unsigned i = 0; i < count; ++i) {
    if (!Set(files_[update.offset + i], descriptors[i])) return i > 0 ? static_cast<int>(i) : -EBADF;
  }
  return static_cast<int>(count);
}

int FakeFiles::At(int place) const {
  if (place < 0 || static_cast<size_t>(place) >= files_.size()) return -EBADF;
  const File& file = files_[static_cast<size_t>(place)];
  if (file.descriptor == -1) return -EBADF;
  Check(system_.DescriptionOf(file.descriptor) == file.description,
        "A request names the place of a registered file whose descriptor was closed: its stream was another one.");
  return file.descriptor;
}

size_t FakeFiles::count() const {
  return static_cast<size_t>(std::ranges::count_if(files_, [](const File& file) { return file.descriptor != -1; }));
}

}  // namespace proactor
