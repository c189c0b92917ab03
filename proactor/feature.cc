// SPDX-License-Identifier: Apache-2.0
#include "proactor/feature.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace proactor {
namespace {

using enum Feature;
using enum Substitute;

constexpr FeatureFacts kFeatures[] = {
    {kSingleMmap, "single_mmap", 5, 4, kNone, "both queues in one mapping"},
    {kNoDrop, "nodrop", 5, 5, kNone, "an overflow of completions loses none"},
    {kSubmitStable, "submit_stable", 5, 5, kNone, "what a request points at is copied when it is submitted"},
    {kReadWriteCurrentPosition, "rw_cur_pos", 5, 6, kNone, "reads and writes at a file's own position"},
    {kFastPoll, "fast_poll", 5, 7, kNone, "requests wait for sockets and pipes without a thread"},
    {kDisabledRing, "r_disabled", 5, 10, kNone, "a ring is set up before the thread that uses it is known"},
    {kExtendedArgument, "ext_arg", 5, 11, kNone, "a wait ends at a given time without a request for it"},
    {kNativeWorkers, "native_workers", 5, 12, kNone, "the kernel's workers are threads of the process"},
    {kNop, "nop", 5, 1, kNone, "tests a ring before it is trusted"},
    {kPollAdd, "poll_add", 5, 1, kNone, "waits for readiness"},
    {kAsyncCancel, "async_cancel", 5, 5, kNone, "ends what is in flight"},
    {kSubmitAll, "submit_all", 5, 18, kLess, "a wrong request does not hold up those behind it"},
    {kCoopTaskrun, "coop_taskrun", 5, 19, kLess, "completions do not interrupt the thread"},
    {kSingleIssuer, "single_issuer", 6, 0, kLess, "one thread only uses a ring, which saves locks"},
    {kDeferTaskrun, "defer_taskrun", 6, 1, kLess, "completions are worked on when the thread asks for them"},
    {kNoSqArray, "no_sqarray", 6, 6, kLess, "no indices between the queue and its entries"},
    {kAbsoluteTimer, "abs_timer", 6, 12, kLess, "a wait ends at a time of the clock, which need not be read first"},
    {kNoIoWait, "no_iowait", 6, 15, kLess, "an idle thread does not count as one that waits for a disk"},
    // Kernels before have it too, but some vendors' hang when it is undone; those with SEND_ZC do not.
    {kRegisteredRingFd, "registered_ring_fd", 6, 0, kLess, "the ring is not looked up at each call"},
    // Kernels before let go of a file only when whatever was in flight by then has ended.
    {kRegisteredFiles, "registered_files", 6, 14, kLess, "busy streams are not looked up at each request"},
    {kWorkerLimit, "iowq_max_workers", 5, 15, kLess, "a bound for the kernel's workers"},
    {kMultishotPoll, "multishot_poll", 5, 13, kLess, "wake-ups by other threads need no new request each"},
    {kMultishotAccept, "multishot_accept", 5, 19, kLess, "connections come without a new request each"},
    {kBufferRing, "buffer_ring", 5, 19, kLess, "receives share buffers, and hold none while they wait"},
    {kMultishotReceive, "multishot_recv", 6, 0, kLess, "bytes come without a new request each"},
    {kAccept, "accept", 5, 5, kPoll, "takes connections"},
    {kConnect, "connect", 5, 5, kPoll, "connects"},
    {kRecv, "recv", 5, 6, kPoll, "receives into one buffer"},
    {kRecvMessage, "recvmsg", 5, 3, kPoll, "receives into several buffers"},
    {kSend, "send", 5, 6, kPoll, "sends one buffer"},
    {kSendMessage, "sendmsg", 5, 3, kPoll, "sends several buffers"},
    {kRead, "read", 5, 6, kPollOrPool, "reads files, pipes and terminals"},
    {kWrite, "write", 5, 6, kPollOrPool, "writes them"},
    {kSplice, "splice", 5, 7, kPollOrPool, "moves bytes from a file into a pipe"},
    {kOpenAt, "openat", 5, 6, kPool, "opens files"},
    {kClose, "close", 5, 6, kPool, "closes files"},
    {kStatx, "statx", 5, 6, kPool, "looks at files"},
    {kFsync, "fsync", 5, 1, kPool, "brings files to the disk"},
    {kTruncate, "ftruncate", 6, 9, kPool, "changes the size of files"},
};
static_assert(std::size(kFeatures) == kFeatureCount);

struct Kernel {
  int major;
  int minor;
  friend constexpr auto operator<=>(Kernel, Kernel) = default;
};

constexpr std::string_view kAll = "all";

constexpr std::string_view kProfiles[] = {"linux-5.10", "linux-5.15", "linux-5.19", "linux-6.0",
                                          "linux-6.1",  "linux-6.6",  kAll};
constexpr Kernel kProfileKernels[] = {{5, 10}, {5, 15}, {5, 19}, {6, 0}, {6, 1}, {6, 6}};

absl::string_view View(std::string_view text) { return absl::string_view(text.data(), text.size()); }

// Of those that io_uring can be used without.
FeatureSet NewerThan(Kernel kernel) {
  FeatureSet newer;
  for (const FeatureFacts& facts : kFeatures) {
    if (facts.substitute != kNone && Kernel{facts.major, facts.minor} > kernel) newer.Add(facts.feature);
  }
  return newer;
}

std::optional<FeatureSet> MeaningOf(std::string_view word) {
  for (const FeatureFacts& facts : kFeatures) {
    if (facts.name != word) continue;
    FeatureSet one;
    one.Add(facts.feature);
    return one;
  }
  if (word == kAll) return OptionalFeatures();
  for (size_t i = 0; i < std::size(kProfileKernels); ++i) {
    if (kProfiles[i] == word) return NewerThan(kProfileKernels[i]);
  }
  return std::nullopt;
}

// How many letters have to be put in, left out or changed (Levenshtein).
size_t Distance(std::string_view from, std::string_view to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < to.size(); ++j) {
      size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

absl::Status Unknown(std::string_view word) {
  std::vector<std::string_view> known;
  for (const FeatureFacts& facts : kFeatures) known.push_back(facts.name);
  known.insert(known.end(), std::begin(kProfiles), std::end(kProfiles));
  auto nearest = std::ranges::min_element(known, {}, [&](std::string_view name) { return Distance(word, name); });
  std::string message = absl::StrCat("there is no feature '", View(word), "'");
  if (Distance(word, *nearest) <= 1 + word.size() / 3) absl::StrAppend(&message, "; is it ", View(*nearest), "?");
  absl::StrAppend(&message, " There are");
  for (std::string_view name : known) absl::StrAppend(&message, name == known.front() ? " " : ", ", View(name));
  return absl::InvalidArgumentError(message);
}

}  // namespace

std::span<const FeatureFacts> AllFeatures() { return kFeatures; }

std::string FirstKernel(Feature feature) {
  return absl::StrCat("Linux ", FactsOf(feature).major, ".", FactsOf(feature).minor);
}

FeatureSet OptionalFeatures() { return NewerThan({0, 0}); }

bool SocketsMayBlock(FeatureSet on) {
  return std::ranges::all_of(kFeatures, [on](const FeatureFacts& facts) {
    return facts.substitute != kPoll || on.Contains(facts.feature);
  });
}

std::span<const std::string_view> FeatureProfiles() { return kProfiles; }

absl::StatusOr<FeatureSet> ParseFeatures(std::string_view words) {
  FeatureSet features;
  for (absl::string_view part : absl::StrSplit(View(words), ',', absl::SkipWhitespace())) {
    absl::string_view trimmed = absl::StripAsciiWhitespace(part);
    std::string_view word(trimmed.data(), trimmed.size());
    std::optional<FeatureSet> meaning = MeaningOf(word);
    if (!meaning.has_value()) return Unknown(word);
    features = features | *meaning;
  }
  return features;
}

absl::StatusOr<FeatureSet> DisabledFeaturesOfEnvironment() {
  const char* words = secure_getenv("PROACTOR_DISABLE");
  if (words == nullptr) return FeatureSet();
  absl::StatusOr<FeatureSet> features = ParseFeatures(words);
  if (features.ok()) return features;
  return absl::InvalidArgumentError(
      absl::StrCat("environment variable PROACTOR_DISABLE: ", features.status().message()));
}

}  // namespace proactor
