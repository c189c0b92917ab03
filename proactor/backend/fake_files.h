// SPDX-License-Identifier: Apache-2.0
//
// FakeFiles: the table of registered files of a fake ring (IORING_REGISTER_FILES), from the kernel's side.
//
//   FakeFiles files(system);
//   int result = files.Register({descriptors, count});   // -1 for a place without a file
//   int result = files.Update(update, 1);
//   int descriptor = files.At(place);                     // -EBADF: there is none
//
// A kernel keeps a file open for as long as it has a place. Here closing it closes it, and a request that names its
// place afterwards is a fatal check: nobody would have meant that.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_FILES_H_
#define PROACTOR_BACKEND_FAKE_FILES_H_

#include <liburing.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "proactor/backend/simulated_system.h"

namespace proactor {

class FakeFiles {
 public:
  explicit FakeFiles(const SimulatedSystem& system) : system_(system) {}

  // As io_uring_register(2): 0, or how many were updated, or -errno.
  int Register(std::span<const int> descriptors);
  int Update(const io_uring_files_update& update, unsigned count);

  int At(int place) const;
  // How many places have a file.
  size_t count() const;

 private:
  struct File {
    int descriptor = -1;
    std::shared_ptr<const SimulatedDescription> description;
  };

  // False: it is not open.
  bool Set(File& file, int descriptor) const;

  const SimulatedSystem& system_;
  std::vector<File> files_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_FILES_H_
