// SPDX-License-Identifier: Apache-2.0
//
// Feature: what one kernel's io_uring has and another's lacks, by name; FeatureSet: some of them.
//
//   absl::StatusOr<FeatureSet> features = ParseFeatures("linux-5.15,no_iowait");
//   absl::Status status = Run(Serve(address), {.disabled = *features});   // as if the kernel did not have them
//
// The names are the kernel's own, in small letters (io_uring_setup(2), io_uring_enter(2)). Besides them there are words
// for several: `linux-5.10` to `linux-6.6` for what is newer than that kernel, and `all` for what io_uring can be used
// without. Some it is not used without: whoever disables one of these gets epoll, and is told so. The long-term
// releases of Linux 5.10 have these from 5.10.162 on.
//
// What code disables counts; where it says nothing, the environment variable PROACTOR_DISABLE does. What is off and why
// is in `Capabilities`.
//
// Threads: all functions may be called from any thread while none changes the environment.
#ifndef PROACTOR_FEATURE_H_
#define PROACTOR_FEATURE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace proactor {

enum class Feature : uint8_t {
  // Those that io_uring is not used without.
  kSingleMmap,
  kNoDrop,
  kSubmitStable,
  kReadWriteCurrentPosition,
  kFastPoll,
  kDisabledRing,
  kExtendedArgument,
  kNativeWorkers,
  kNop,
  kPollAdd,
  kAsyncCancel,
  // How completions come. Setup leaves out the last of these first.
  kSubmitAll,
  kCoopTaskrun,
  kSingleIssuer,
  kDeferTaskrun,
  kNoSqArray,
  // How the ring is entered.
  kAbsoluteTimer,
  kNoIoWait,
  kRegisteredRingFd,
  kRegisteredFiles,
  kWorkerLimit,
  // Requests that complete more than once.
  kMultishotPoll,
  kMultishotAccept,
  kBufferRing,
  kMultishotReceive,
  // Operations.
  kAccept,
  kConnect,
  kRecv,
  kRecvMessage,
  kSend,
  kSendMessage,
  kRead,
  kWrite,
  kSplice,
  kOpenAt,
  kClose,
  kStatx,
  kFsync,
  kTruncate,
};
inline constexpr size_t kFeatureCount = static_cast<size_t>(Feature::kTruncate) + 1;

// What stands in for a feature that is off.
enum class Substitute : uint8_t {
  kNone,      // Another backend: io_uring is not used without it.
  kLess,      // The same, with more work for the kernel.
  kPoll,      // For an operation: a poll by the ring, then a system call.
  kPool,      // For an operation: a thread of the BlockingPool.
  kPollOrPool,  // For an operation: either, by what the descriptor is.
};

struct FeatureFacts {
  Feature feature;
  std::string_view name;
  int major;  // The Linux that had it first.
  int minor;
  Substitute substitute;
  std::string_view purpose;
};

// All there are, in the order of their numbers.
std::span<const FeatureFacts> AllFeatures();
inline const FeatureFacts& FactsOf(Feature feature) { return AllFeatures()[static_cast<size_t>(feature)]; }
// "Linux 5.19".
std::string FirstKernel(Feature feature);

class FeatureSet {
 public:
  constexpr FeatureSet() = default;
  constexpr explicit FeatureSet(uint64_t bits) : bits_(bits) {}

  constexpr bool Contains(Feature feature) const { return (bits_ & Bit(feature)) != 0; }
  constexpr void Add(Feature feature) { bits_ |= Bit(feature); }
  constexpr void Remove(Feature feature) { bits_ &= ~Bit(feature); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr int size() const { return std::popcount(bits_); }
  constexpr uint64_t bits() const { return bits_; }

  constexpr FeatureSet Without(FeatureSet others) const { return FeatureSet(bits_ & ~others.bits_); }

  friend constexpr FeatureSet operator|(FeatureSet a, FeatureSet b) { return FeatureSet(a.bits_ | b.bits_); }
  friend constexpr FeatureSet operator&(FeatureSet a, FeatureSet b) { return FeatureSet(a.bits_ & b.bits_); }
  friend constexpr bool operator==(FeatureSet, FeatureSet) = default;

 private:
  static constexpr uint64_t Bit(Feature feature) { return uint64_t{1} << static_cast<int>(feature); }
  uint64_t bits_ = 0;
};
static_assert(kFeatureCount < 64);

inline constexpr FeatureSet kEveryFeature((uint64_t{1} << kFeatureCount) - 1);

// Those that io_uring can be used without: what the word `all` means.
FeatureSet OptionalFeatures();

// Whether sockets may be blocking ones where io_uring has these: it has every operation on them. They are made for what
// the most demanding of their operations needs, and one that is done by a poll and a call must not block.
bool SocketsMayBlock(FeatureSet on);

// What a list of names and of words for several means, with commas between them.
// Result: `kInvalidArgument`, with the nearest name and all that there are, for any other.
absl::StatusOr<FeatureSet> ParseFeatures(std::string_view words);

// The words for several, in the order in which people should be told of them: "linux-5.10".
std::span<const std::string_view> FeatureProfiles();

// What PROACTOR_DISABLE says; none if it is empty or not set, or in a program with more rights than its caller
// (secure_getenv(3)).
// Result: `kInvalidArgument`, with the variable's name, for a wrong name.
absl::StatusOr<FeatureSet> DisabledFeaturesOfEnvironment();

}  // namespace proactor

#endif  // PROACTOR_FEATURE_H_
