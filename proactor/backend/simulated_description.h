// SPDX-License-Identifier: Apache-2.0
//
// SimulatedDescription: what a simulated descriptor stands for, POSIX's "open file description": a socket, a file, a
// pipe's end.
//
//   int result = description.Read(buffer, size, -1);
//   if (SimulatedSocket* socket = description.socket()) result = socket->Listen(128);
//   description.Close();
//
// One that may have to wait says what it is ready for (`Poll`), and counts how often it woke those who wait for that:
// with a change, with more of what was there already, and now and then with nothing new (epoll(7) calls these edges).
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
#include <optional>
#include <string>

struct statx;

namespace proactor {

class SimulatedSocket;

// What poll(2) says of a description.
struct SimulatedReadiness {
  uint32_t events;  // POLLIN and the like, which epoll(7) has the same numbers for.
  uint64_t wakes;   // How many edges there have been.
};

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

  // Nothing for what is always ready, which cannot be waited for (epoll_ctl(2): EPERM).
  virtual std::optional<SimulatedReadiness> Poll() const { return std::nullopt; }

  // The descriptor is closed. Called once, before the destructor.
  virtual void Close() {}

  virtual SimulatedSocket* socket() { return nullptr; }

  // For people: "file notes.txt".
  virtual std::string Describe() const = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_DESCRIPTION_H_
