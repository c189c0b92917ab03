// SPDX-License-Identifier: Apache-2.0
//
// RegisteredFiles: the table in which an io_uring keeps the files of busy streams, so that it need not look up their
// descriptors, nor count who uses them, at each request (io_uring_register_files(3)).
//
//   files.Add(multishot);             // of a busy stream, which may get a place; its entries name that from now on
//   files.Remove(multishot, false);   // before its descriptor is closed
//   files.Settle();                   // in each turn
//
// A file with a place stays open although its descriptor is closed, and the peer of a connection would not hear of its
// end. So a place is given back before, by whoever is told that a descriptor is to be closed, given away or used
// elsewhere (`DescriptorWatcher::Forget`). While an operation of the stream is in flight, an entry that the kernel has
// not seen yet may name the place, and it must not be another stream's by then: it is free once everything has been
// submitted. From then on requests keep the file by themselves, as those of the library are not left to a worker.
//
// The table is made when it is needed first. A kernel that refuses it, or that has no memory for a file, is asked for
// the same things by their descriptors.
//
// Threads: the ring's. On another, where a proactor may be destroyed, nothing can be given back: the files stay open
//   until the ring is closed (ring.h).
#ifndef PROACTOR_BACKEND_REGISTERED_FILES_H_
#define PROACTOR_BACKEND_REGISTERED_FILES_H_

#include <liburing.h>

#include <cstdint>
#include <vector>

#include "proactor/backend/ring.h"
#include "proactor/multishot.h"

namespace proactor {

class RegisteredFiles {
 public:
  static constexpr int kMost = 1024;  // Files; not more than a process may have open (EMFILE).
  static constexpr int kFewest = 64;

  explicit RegisteredFiles(Ring& ring) : ring_(ring) {}

  // Of a multishot that is watched by the proactor that this is of. False: it gets no place, or has one.
  bool Add(Multishot& multishot);

  // If it has a place. `idle`: no operation of this loop's is in flight on it. There may be some of another loop's, to
  // which it has gone or goes, and at what they do nobody may look.
  void Remove(Multishot& multishot, bool idle);

  // Frees the places that were removed and could not be freed at once, if everything has been submitted.
  void Settle() {
    if (!removed_.empty()) [[unlikely]]
      FreeRemoved();
  }

 private:
  void MakeTable();
  // What io_uring_register(2) returns: 1, or -errno. -1 for no descriptor.
  int Update(int16_t place, int descriptor);
  void Free(int16_t place);
  void FreeRemoved();

  Ring& ring_;
  bool tried_ = false;  // To make the table. Without one, no place is free.
  std::vector<int16_t> free_;     // The lowest last.
  std::vector<int16_t> removed_;  // Not free yet.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_REGISTERED_FILES_H_
