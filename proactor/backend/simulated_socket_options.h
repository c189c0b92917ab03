// SPDX-License-Identifier: Apache-2.0
//
// SimulatedSocketOptions: the options of one simulated socket (socket(7), tcp(7)).
//
//   SimulatedSocketOptions options;
//   int one = 1;
//   int result = options.Set(AF_INET, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
//   bool set = options.Flag(IPPROTO_TCP, TCP_NODELAY);
//
// Each has Linux's initial value, and is read back as Linux stores it: flags as 0 or 1, sizes of buffers doubled. An
// unknown one is -ENOPROTOOPT.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_SOCKET_OPTIONS_H_
#define PROACTOR_BACKEND_SIMULATED_SOCKET_OPTIONS_H_

#include <sys/socket.h>

#include <map>
#include <utility>

namespace proactor {

class SimulatedSocketOptions {
 public:
  // As the system calls, for a socket of this family.
  int Set(int family, int level, int name, const void* value, socklen_t size);
  int Get(int family, int level, int name, void* value, socklen_t* size) const;

  // Whether it was set, to something else than 0.
  bool Flag(int level, int name) const;
  // SO_LINGER with no time to do so.
  bool ResetsAtOnce() const;

  // Gives a program the value that it asked for, as much as it has room for.
  static int Give(const void* bytes, socklen_t count, void* value, socklen_t* size);

 private:
  std::map<std::pair<int, int>, int> set_;  // By level and name.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_SOCKET_OPTIONS_H_
