// SPDX-License-Identifier: Apache-2.0
//
// SimulatedSystem: sockets, files, pipes and a clock in memory: a System that never calls the kernel.
//
//   SimulatedSystem system({.seed = 7});
//   system.WriteFile("config", "port=80");
//   system.FailNext(SimulatedCall::kSync, EIO);
//   int fd = system.Open("config", O_RDONLY, 0);
//   EXPECT_EQ(system.open_descriptors(), 1);
//
// It answers as Linux would, and as it may: transfers move only a part of what they could (which part, the seed
// decides), and calls are interrupted. Descriptors are the lowest free numbers, so that using one after it is closed
// hits somebody else, as it would in production. Sockets are in simulated_socket.h, files in simulated_file.h.
//
// Threads: one at a time: those of the simulation, which has one.
#ifndef PROACTOR_BACKEND_SIMULATED_SYSTEM_H_
#define PROACTOR_BACKEND_SIMULATED_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proactor/backend/simulated_chance.h"
#include "proactor/backend/simulated_clock.h"
#include "proactor/backend/simulated_description.h"
#include "proactor/backend/simulated_file.h"
#include "proactor/backend/simulated_network.h"
#include "proactor/backend/simulated_pipe.h"
#include "proactor/backend/simulated_signals.h"
#include "proactor/system.h"

namespace proactor {

struct SimulationOptions {
  uint64_t seed = 1;               // Decides all that is left to chance.
  bool short_transfers = true;     // Reads and writes move a part of what they could.
  bool interruptions = true;       // One call in 16 fails with EINTR.
  size_t buffer_size = 64 * 1024;  // Of each direction of a connection, and of a pipe: writers wait for more.
  int descriptor_limit = 20'000;   // The process's; EMFILE beyond.
  int64_t disk_size = 1 << 30;     // ENOSPC beyond.
  // Operations and cancellations take effect after a while of up to this much (SimulatedProactor).
  absl::Duration max_latency = absl::ZeroDuration();
};
static_assert(std::is_trivially_destructible_v<SimulationOptions>);

enum class SimulatedCall {
  kSocket,
  kBind,
  kListen,
  kAccept,
  kConnect,
  kReceive,
  kSend,
  kOpen,
  kRead,
  kWrite,
  kSync,
  kTruncate,
  kSplice,
  kClose
};

class SimulatedSystem final : public System {
 public:
  explicit SimulatedSystem(SimulationOptions options = {});
  ~SimulatedSystem() override;

  const SimulationOptions& options() const { return options_; }
  SimulatedClock& clock() { return clock_; }
  SimulatedChance& chance() { return chance_; }

  // Grows with everything that happens: as long as it has not, a call that yielded -EAGAIN would do so again.
  uint64_t changes() const { return changes_; }
  // Called after each change, from inside the call that made it: an interrupt. One listener, or null.
  void OnChange(std::function<void()> hook) { on_change_ = std::move(hook); }

  // How many descriptors are open beside the standard ones, and which: one line each.
  int open_descriptors() const { return open_; }
  std::string DescribeOpenDescriptors() const;

  // The next `times` calls of this kind fail with `error`, and do nothing (except that a close does close).
  void FailNext(SimulatedCall call, int error, int times = 1);

  // Resets the oldest connection that waits on a listening socket; accepting it then yields ECONNABORTED. Whether there
  // was one.
  bool AbortNextConnection(int listener);

  // The files.
  void WriteFile(const std::string& path, std::string_view contents);
  std::optional<std::string> ReadFile(const std::string& path) const { return files_.Read(path); }
  int RemoveFile(const std::string& path) { return files_.Remove(path); }

  // Standard input is a pipe: at its end from the start; with these bytes and then its end; or with more to come, for
  // which readers wait. Standard output and error are pipes that take everything.
  void SetStandardInput(std::string_view bytes);
  void FeedStandardInput(std::string_view bytes);
  void EndStandardInput();
  std::string standard_output() const { return Contents(*standard_output_); }
  std::string standard_error() const { return Contents(*standard_error_); }

  // What an open descriptor stands for; null for a number that is none.
  std::shared_ptr<SimulatedDescription> DescriptionOf(int fd) const;

  // Sends a signal to the process. One that is not blocked does what it always does: most end the process, and this one
  // with it, with a sentence.
  void Raise(int signal);

  // pipe(2): the end to read from, and the end to write to.
  std::pair<int, int> MakePipe();

  int Socket(int family, int type, int protocol) override;
  int Bind(int fd, const sockaddr* address, socklen_t size) override;
  int Listen(int fd, int backlog) override;
  int Accept(int fd, sockaddr* address, socklen_t* size) override;
  int Connect(int fd, const sockaddr* address, socklen_t size) override;
  int Receive(int fd, void* buffer, size_t size) override;
  int Send(int fd, const void* bytes, size_t size) override;
  int ReceiveMessage(int fd, msghdr& message) override;
  int SendMessage(int fd, const msghdr& message, bool more) override;
  int Shutdown(int fd, int how) override;
  int SetSocketOption(int fd, int level, int name, const void* value, socklen_t size) override;
  int GetSocketOption(int fd, int level, int name, void* value, socklen_t* size) override;
  int SocketName(int fd, sockaddr* address, socklen_t* size) override;
  int PeerName(int fd, sockaddr* address, socklen_t* size) override;
  int Open(const char* path, int flags, mode_t mode) override;
  int Read(int fd, void* buffer, size_t size, int64_t offset) override;
  int Write(int fd, const void* bytes, size_t size, int64_t offset) override;
  int Sync(int fd, bool data_only) override;
  int Stat(int fd, unsigned mask, struct statx* result) override;
  int Truncate(int fd, int64_t size) override;
  int SetSignalMask(int how, const sigset_t& signals, sigset_t* before) override;
  int SignalDescriptor(const sigset_t& signals) override;
  int Splice(int from, int pipe, size_t size) override;
  int Poll(int fd, short events) override;
  int Close(int fd) override;

 private:
  static std::string Contents(const SimulatedPipe& pipe) { return {pipe.bytes.begin(), pipe.bytes.end()}; }

  // What goes wrong with a call before it is made: -errno, or 0.
  int Fault(SimulatedCall call);
  // Makes a call on a descriptor, unless something goes wrong, and counts a change if it was one.
  template <class Call>
  int OnDescription(SimulatedCall kind, int fd, Call call);
  template <class Call>
  int OnSocket(SimulatedCall kind, int fd, Call call);
  int Changed(int result);
  void NoteChange();

  bool full() const { return descriptors_.size() - free_.size() >= static_cast<size_t>(options_.descriptor_limit); }
  int Install(std::shared_ptr<SimulatedDescription> description);
  SimulatedDescription* Find(int fd) const;

  const SimulationOptions options_;
  SimulatedClock clock_;
  SimulatedChance chance_;
  uint64_t changes_ = 0;
  std::function<void()> on_change_;
  std::vector<std::pair<SimulatedCall, int>> failures_;  // That `FailNext` asked for, in order.

  SimulatedNetwork network_;
  SimulatedFileSystem files_;
  SimulatedSignals signals_;
  std::shared_ptr<SimulatedPipe> standard_input_;
  std::shared_ptr<SimulatedPipe> standard_output_;
  std::shared_ptr<SimulatedPipe> standard_error_;

  std::vector<std::shared_ptr<SimulatedDescription>> descriptors_;  // By number; null: closed.
  std::set<int> free_;                                              // The numbers that are null.
  std::set<int> standard_;                                          // Those of 0, 1 and 2 that are as they were.
  int open_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_SYSTEM_H_
