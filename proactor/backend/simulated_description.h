// SPDX-License-Identifier: Apache-2.0
//
// SimulatedDescription: what a simulated descriptor stands for, POSIX's "open file description": a socket, a file, a
// pipe's end.
//
//   int result = description.Read(buffer, size, -1);
//   if (SimulatedSocket* socket = description.socket()) result = socket->Listen(128);
//   description.Close();
//
// Each answers as Linux would: a result, or -errno; -EAGAIN where it would have to wait. The defaults are what Linux
// says to a call that makes no sense for this kind.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_DESCRIPTION_H_
#define PROACTOR_BACKEND_SIMULATED_DESCRIPTION_H_

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

struct statx;

namespace proactor {

class SimulatedSocket;

class SimulatedDescription {
 public:
  virtual ~SimulatedDescription() = default;

  // An offset of -1 is the description's own position.
  virtual int Read(char* buffer, size_t size, int64_t offset) = 0;
  virtual int Write(const char* bytes, size_t size, int64_t offset) = 0;
  // Fills in what it knows; everything is zero before.
  virtual void Stat(struct statx& facts) const = 0;
  virtual int Sync() { return -EINVAL; }
  virtual int Truncate(int64_t) { return -EINVAL; }
  // Takes what `input` yields at its position.
  virtual int SpliceFrom(SimulatedDescription&, size_t) { return -EINVAL; }

  // The descriptor is closed. Called once, before the destructor.
  virtual void Close() {}

  virtual SimulatedSocket* socket() { return nullptr; }

  // For people: "file notes.txt".
  virtual std::string Describe() const = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_DESCRIPTION_H_
