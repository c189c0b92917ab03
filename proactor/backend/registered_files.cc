// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/registered_files.h"

#include <cerrno>
#include <utility>

#include "proactor/descriptor.h"
#include "proactor/feature.h"

namespace proactor {

void RegisteredFiles::MakeTable() {
  tried_ = true;
  if (!ring_.Has(Feature::kRegisteredFiles)) return;
  for (int size = kMost; size >= kFewest; size /= 2) {
    std::vector<int> none(static_cast<size_t>(size), -1);
    int result = ring_.Register(IORING_REGISTER_FILES, none.data(), static_cast<unsigned>(size));
    if (result == -EINVAL) return ring_.Downgrade(Feature::kRegisteredFiles);
    if (result < 0) continue;
    while (size > 0) free_.push_back(static_cast<int16_t>(--size));
    return;
  }
}

int RegisteredFiles::Update(int16_t place, int descriptor) {
  io_uring_files_update update = {};
  update.offset = static_cast<unsigned>(place);
  update.fds = reinterpret_cast<uintptr_t>(&descriptor);
  return ring_.Register(IORING_REGISTER_FILES_UPDATE, &update, 1);
}

bool RegisteredFiles::Add(Multishot& multishot) {
  if (!tried_) MakeTable();
  if (free_.empty() || multishot.registered >= 0) return false;
  if (Update(free_.back(), multishot.descriptor().number) != 1) return false;
  multishot.registered = free_.back();
  free_.pop_back();
  return true;
}

void RegisteredFiles::Remove(Multishot& multishot, bool idle) {
  if (multishot.registered < 0) return;
  int16_t place = std::exchange(multishot.registered, int16_t{-1});
  // Nothing is in flight, or only what closes it and has waited for the others.
  const Descriptor& descriptor = multishot.descriptor();
  if (idle || descriptor.reading == descriptor.writing) return Free(place);
  removed_.push_back(place);
}

// One that the kernel does not take back, as in a child after fork(2), stays taken.
void RegisteredFiles::Free(int16_t place) {
  if (Update(place, -1) == 1) free_.push_back(place);
}

void RegisteredFiles::FreeRemoved() {
  if (ring_.unsubmitted() > 0) return;
  for (int16_t place : removed_) Free(place);
  removed_.clear();
}

}  // namespace proactor
