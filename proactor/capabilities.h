// SPDX-License-Identifier: Apache-2.0
//
// Capabilities: how operations reach the kernel here, and why not better: a value, for logs and for people.
//
//   std::unique_ptr<Proactor> proactor = *MakeProactor();
//   Log(LogSeverity::kInfo, proactor->capabilities().ToString());
//   // io_uring, queues of 256 and 4096; off: abs_timer (io_uring_setup does not list it; Linux 6.12 has it)
//
// It says how things are when it is asked for. Two features are only tried when a ring is first used, and two when a
// request or a busy stream is; they count as on until then: `registered_ring_fd`, `iowq_max_workers`, `multishot_poll`
// and `registered_files`.
//
// Threads: any, as for every value; `Proactor::capabilities` is the scheduler's.
#ifndef PROACTOR_CAPABILITIES_H_
#define PROACTOR_CAPABILITIES_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proactor/feature.h"

namespace proactor {

struct Capability {
  enum State : char {
    kOn,
    kDisabled,  // By PROACTOR_DISABLE or in code: itself, or what it needs.
    kLacking,   // The kernel has said so; `why` names the call that did, and the Linux that has it.
    kNotTried,  // Operations do not go through io_uring.
  };

  Feature feature;
  State state = kOn;
  std::string why = "";               // Empty where it is on.
  std::optional<Feature> needs = {};  // Which other one it is off for.
};

// "on", "disabled", "lacking", "not tried".
std::string_view StateWord(Capability::State state);

struct Capabilities {
  // Where operations do not go through io_uring: nothing has been tried.
  static Capabilities Without(std::string_view backend, std::string_view reason);

  std::string backend = "";  // Of the proactor: "io_uring".
  std::string reason = "";   // Why it is not the first choice, and what would change that; empty if it is.
  unsigned submission_entries = 0;
  unsigned completion_entries = 0;
  bool shrunk = false;  // The ring is smaller than it was to be, because only so much memory may be locked.
  bool restricted = false;  // The kernel refuses what the ring might be asked for besides the library's operations.
  std::vector<Capability> features = {};  // All there are, in the order of `AllFeatures`.

  bool Has(Feature feature) const { return features[static_cast<size_t>(feature)].state == Capability::kOn; }
  // Those that are.
  FeatureSet On() const;

  // The way that an operation takes, which is one of the features: "ring"; "poll, then ring" where sockets do not
  // block; "poll, then call" and "epoll, then call" for system calls once they cannot block; "pool" for a thread that
  // may.
  std::string RouteOf(Feature operation) const;

  // One line.
  std::string ToString() const;
};

// Those features that are operations.
bool IsOperation(const FeatureFacts& facts);

}  // namespace proactor

#endif  // PROACTOR_CAPABILITIES_H_
