// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/errors.h"

namespace proactor {
namespace {

// Constants newer than the liburing that this builds with. Not under the kernel's names, which a newer header defines
// as enumerators, where no #ifndef can see them.
constexpr unsigned kEnterAbsoluteTimer = 1u << 5;  // Linux 6.12
constexpr unsigned kEnterNoIoWait = 1u << 7;       // Linux 6.15
constexpr unsigned kFeatureMinTimeout = 1u << 15;  // Linux 6.12: came with kEnterAbsoluteTimer
constexpr unsigned kFeatureReadWriteAttributes = 1u << 16;  // Linux 6.14: files are let go of at once since 6.13
constexpr unsigned kFeatureNoIoWait = 1u << 17;    // Linux 6.15
constexpr unsigned kSetupNoSqArray = 1u << 16;     // Linux 6.6
constexpr uint8_t kOpTruncate = 55;                // Linux 6.9

// Features that setup takes as flags, from the newest: at each EINVAL the first that is left is left out.
struct SetupFlag {
  Feature feature;
  unsigned flags;
};
constexpr SetupFlag kSetupFlags[] = {
    {Feature::kNoSqArray, kSetupNoSqArray},
    {Feature::kDeferTaskrun, IORING_SETUP_DEFER_TASKRUN},
    {Feature::kSingleIssuer, IORING_SETUP_SINGLE_ISSUER},
    {Feature::kCoopTaskrun, IORING_SETUP_COOP_TASKRUN},
    {Feature::kSubmitAll, IORING_SETUP_SUBMIT_ALL},
};

// What setup says that it has.
struct FeatureBit {
  Feature feature;
  unsigned bit;
};
constexpr FeatureBit kFeatureBits[] = {
    {Feature::kSingleMmap, IORING_FEAT_SINGLE_MMAP},
    {Feature::kNoDrop, IORING_FEAT_NODROP},
    {Feature::kSubmitStable, IORING_FEAT_SUBMIT_STABLE},
    {Feature::kReadWriteCurrentPosition, IORING_FEAT_RW_CUR_POS},
    {Feature::kFastPoll, IORING_FEAT_FAST_POLL},
    {Feature::kExtendedArgument, IORING_FEAT_EXT_ARG},
    {Feature::kNativeWorkers, IORING_FEAT_NATIVE_WORKERS},
    {Feature::kAbsoluteTimer, kFeatureMinTimeout},
    {Feature::kRegisteredFiles, kFeatureReadWriteAttributes},
    {Feature::kNoIoWait, kFeatureNoIoWait},
};

struct FeatureOpcode {
  Feature feature;
  uint8_t opcode;
};
constexpr FeatureOpcode kFeatureOpcodes[] = {
    {Feature::kNop, IORING_OP_NOP},
    {Feature::kPollAdd, IORING_OP_POLL_ADD},
    {Feature::kAsyncCancel, IORING_OP_ASYNC_CANCEL},
    {Feature::kAccept, IORING_OP_ACCEPT},
    {Feature::kConnect, IORING_OP_CONNECT},
    {Feature::kRecv, IORING_OP_RECV},
    {Feature::kRecvMessage, IORING_OP_RECVMSG},
    {Feature::kSend, IORING_OP_SEND},
    {Feature::kSendMessage, IORING_OP_SENDMSG},
    {Feature::kRead, IORING_OP_READ},
    {Feature::kWrite, IORING_OP_WRITE},
    {Feature::kSplice, IORING_OP_SPLICE},
    {Feature::kOpenAt, IORING_OP_OPENAT},
    {Feature::kClose, IORING_OP_CLOSE},
    {Feature::kStatx, IORING_OP_STATX},
    {Feature::kFsync, IORING_OP_FSYNC},
    {Feature::kTruncate, kOpTruncate},
};

constexpr unsigned kSmallestRing = 32;
// The kernel gives locked memory back from a worker, once a ring's last reference is gone.
constexpr absl::Duration kMemoryComesBack = absl::Milliseconds(20);
constexpr int kPauses = 5;
constexpr unsigned kTestRing = 8;
// Much more than requests take that need not wait.
constexpr int64_t kTestNanoseconds = 1'000'000'000;
constexpr int kTestEnters = 100;

// What a ring is tried with.
enum Trial : unsigned { kNothing, kReceive, kSend, kWaitInVain, kCancel, kTrials };
constexpr uint64_t kTrialMark = 0x7e57'7e57'7e57'7e50;

bool IsRight(unsigned trial, int result) {
  switch (trial) {
    case kReceive:
    case kSend:
      return result == 1;
    case kWaitInVain:
      return result == -ECANCELED || result == -EINTR;
    case kCancel:
      return result == 0 || result == -EALREADY;
    default:
      return result == 0;
  }
}

// What to ask setup for.
unsigned FlagsOf(FeatureSet wanted) {
  unsigned flags = 0;
  for (const SetupFlag& flag : kSetupFlags) {
    if (wanted.Contains(flag.feature)) flags |= flag.flags;
  }
  if ((flags & (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN)) != 0) flags |= IORING_SETUP_TASKRUN_FLAG;
  return flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
}

// The newest that is left; false when none is.
bool LeaveOutNewest(FeatureSet& wanted) {
  for (const SetupFlag& flag : kSetupFlags) {
    if (!wanted.Contains(flag.feature)) continue;
    wanted.Remove(flag.feature);
    return true;
  }
  return false;
}

FeatureSet SetupFeatures() {
  FeatureSet features;
  for (const SetupFlag& flag : kSetupFlags) features.Add(flag.feature);
  return features;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ring>> Ring::Create(RingOptions options, RingKernel& kernel) {
  if (absl::Status status = CheckRelease(kernel.Release()); !status.ok()) return status;
  std::unique_ptr<Ring> ring(new Ring(kernel));
  if (absl::Status status = ring->SetUp(options); !status.ok()) return status;
  if (absl::Status status = ring->Probe(); !status.ok()) return status;
  if (absl::Status status = ring->CheckNeeded(); !status.ok()) return status;
  if (options.restricted) {
    if (absl::Status status = ring->Restrict(); !status.ok()) return status;
  }
  if (kernel.trusted()) return ring;
  if (absl::Status status = ring->TestAnother(); !status.ok()) return status;
  return ring;
}

absl::Status Ring::SetUp(RingOptions options) {
  creator_ = kernel_.Asking();
  record_.TurnOff(options.disabled, WhyOff::kDisabled);
  record_.TurnOff(kernel_.lacks() & SetupFeatures(), WhyOff::kSetupRefuses);
  record_.TurnOff(kernel_.lacks(), WhyOff::kRequestRefused);
  // One means nothing without the other, which is EINVAL.
  if (!Has(Feature::kSingleIssuer)) record_.TurnOffFor(Feature::kDeferTaskrun, Feature::kSingleIssuer);
  FeatureSet wanted = record_.on();
  RingOptions size = options;
  int pauses = 0;
  io_uring_params params;
  while (true) {
    params = {};
    params.flags = FlagsOf(wanted) | IORING_SETUP_R_DISABLED;
    params.cq_entries = size.completions;
    fd_ = kernel_.Setup(size.entries, &params);
    if (fd_ >= 0) break;
    if (fd_ == -EINVAL && LeaveOutNewest(wanted)) continue;
    if (fd_ != -ENOMEM) return ErrnoToStatus(-fd_, "io_uring_setup");
    if (size.entries > kSmallestRing) {
      size.entries /= 2;
      size.completions = std::max(size.completions / 2, 2 * size.entries);
      continue;
    }
    if (pauses++ == kPauses) return ErrnoToStatus(ENOMEM, "io_uring_setup");
    kernel_.machine().Pause(kMemoryComesBack);
    size = options;
  }
  shrunk_ = size.entries < options.entries;
  setup_flags_ = params.flags;
  // The next ring need not ask again.
  FeatureSet refused = record_.on().Without(wanted);
  kernel_.Lacks(refused);
  record_.TurnOff(refused, WhyOff::kSetupRefuses);
  for (const FeatureBit& feature : kFeatureBits) {
    if ((params.features & feature.bit) == 0) record_.TurnOff(feature.feature, WhyOff::kSetupDoesNotList);
  }
  enter_fd_ = fd_;
  if (Has(Feature::kNoIoWait)) enter_flags_ |= kEnterNoIoWait;
  return MapQueues(params);
}

absl::Status Ring::MapQueues(const io_uring_params& params) {
  bool has_array = (params.flags & kSetupNoSqArray) == 0;
  queues_.size = std::max<size_t>(has_array ? params.sq_off.array + params.sq_entries * sizeof(unsigned) : 0,
                                  params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  entries_.size = params.sq_entries * sizeof(io_uring_sqe);
  for (auto [mapping, offset] : {std::pair(&queues_, off_t{IORING_OFF_SQ_RING}), {&entries_, off_t{IORING_OFF_SQES}}}) {
    mapping->address = kernel_.Map(fd_, mapping->size, offset);
    if (mapping->address == MAP_FAILED) {
      mapping->address = nullptr;
      return ErrnoToStatus(errno, "mmap of the io_uring");
    }
  }
  char* base = static_cast<char*>(queues_.address);
  auto word = [base](unsigned offset) { return reinterpret_cast<unsigned*>(base + offset); };
  submission_ = {word(params.sq_off.head), word(params.sq_off.tail), word(params.sq_off.flags),
                 params.sq_entries - 1,    params.sq_entries,        static_cast<io_uring_sqe*>(entries_.address)};
  completion_ = {word(params.cq_off.head), word(params.cq_off.tail), params.cq_entries - 1,
                 reinterpret_cast<io_uring_cqe*>(base + params.cq_off.cqes)};
  // Entries are always submitted in the order of their places, so the index array is written once.
  for (unsigned i = 0; has_array && i < params.sq_entries; ++i) word(params.sq_off.array)[i] = i;
  return absl::OkStatus();
}

absl::Status Ring::Probe() {
  alignas(io_uring_probe) char space[sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op)] = {};
  auto* probe = reinterpret_cast<io_uring_probe*>(space);
  int result = kernel_.Register(fd_, IORING_REGISTER_PROBE, probe, 256);
  // EINVAL: io_uring_register(2) is there, without this. Nothing is known then, and nothing is relied on.
  if (result < 0 && result != -EINVAL) return ErrnoToStatus(-result, "io_uring_register");
  for (unsigned i = 0; i < probe->ops_len; ++i) {
    if ((probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0) supported_.set(probe->ops[i].op);
  }
  for (const FeatureOpcode& feature : kFeatureOpcodes) {
    if (!Has(feature.feature)) supported_.reset(feature.opcode);
    if (!supported_[feature.opcode]) record_.TurnOff(feature.feature, WhyOff::kProbeDoesNotList);
  }
  const bool probed_socket = Supports(IORING_OP_SOCKET);    // Linux 5.19
  const bool probed_send_zc = Supports(IORING_OP_SEND_ZC);  // Linux 6.0
  // Kernels that know SEND_ZC have a registration of rings that can be undone; some vendor kernels before accept it and
  // hang at exit.
  if (!probed_send_zc) record_.TurnOff(Feature::kRegisteredRingFd, WhyOff::kMayHang);
  // Without it the kernel receives whenever something comes, however much is unread, while the thread does other
  // things.
  if (!Has(Feature::kDeferTaskrun)) record_.TurnOffFor(Feature::kMultishotReceive, Feature::kDeferTaskrun);
  // Nothing lists what operations can do besides; what came with them is there where they are.
  if (!probed_socket) record_.TurnOff(Feature::kMultishotAccept, WhyOff::kSocketNotListed);
  if (!probed_send_zc) record_.TurnOff(Feature::kMultishotReceive, WhyOff::kSendZcNotListed);
  if (!Has(Feature::kAccept)) record_.TurnOffFor(Feature::kMultishotAccept, Feature::kAccept);
  if (!Has(Feature::kRecv)) record_.TurnOffFor(Feature::kMultishotReceive, Feature::kRecv);
  if (!Has(Feature::kMultishotReceive)) record_.TurnOffFor(Feature::kBufferRing, Feature::kMultishotReceive);
  if (!probed_socket) record_.TurnOff(Feature::kBufferRing, WhyOff::kSocketNotListed);
  // EBADFD is the ring's own answer before it is enabled; anything else comes from who stands before it.
  result = kernel_.Enter(fd_, 0, 0, 0, nullptr, 0);
  if (result < 0 && result != -EBADFD) return ErrnoToStatus(-result, "io_uring_enter");
  return absl::OkStatus();
}

// Takes effect when the ring is enabled; from then on, an entry with something else completes with EACCES.
absl::Status Ring::Restrict() {
  record_.TurnOff(Feature::kRegisteredFiles, WhyOff::kRestricted);  // Whoever asks for this wants less of the kernel.
  std::vector<io_uring_restriction> allowed;
  auto allow = [&](unsigned kind, uint8_t what) {
    io_uring_restriction& restriction = allowed.emplace_back();
    restriction.opcode = static_cast<uint16_t>(kind);
    restriction.sqe_op = what;  // The same byte for each kind.
  };
  std::bitset<256> used;
  for (const FeatureOpcode& feature : kFeatureOpcodes) {
    if (!supported_[feature.opcode]) continue;  // EINVAL if the kernel does not know it.
    used.set(feature.opcode);
    allow(IORING_RESTRICTION_SQE_OP, feature.opcode);
  }
  allow(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, IOSQE_ASYNC | IOSQE_BUFFER_SELECT);
  if (Has(Feature::kBufferRing)) {
    allow(IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_PBUF_RING);
    allow(IORING_RESTRICTION_REGISTER_OP, IORING_UNREGISTER_PBUF_RING);
  }
  if (Has(Feature::kRegisteredRingFd)) {
    allow(IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_RING_FDS);
    allow(IORING_RESTRICTION_REGISTER_OP, IORING_UNREGISTER_RING_FDS);
  }
  unsigned count = static_cast<unsigned>(allowed.size());
  if (int result = kernel_.Register(fd_, IORING_REGISTER_RESTRICTIONS, allowed.data(), count); result < 0) {
    return ErrnoToStatus(-result, "io_uring_register(RESTRICTIONS)");
  }
  restricted_ = true;
  // Operations of the user's own with other opcodes are performed without the ring.
  supported_ = used;
  return absl::OkStatus();
}

absl::Status Ring::CheckNeeded() const {
  std::string missing, disabled;
  for (const FeatureFacts& facts : AllFeatures()) {
    if (facts.substitute != Substitute::kNone || Has(facts.feature)) continue;
    std::string& names = record_.IsDisabled(facts.feature) ? disabled : missing;
    absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(facts.name));
  }
  if (!missing.empty()) {
    return absl::UnimplementedError(
        absl::StrCat("io_uring_setup: the kernel's io_uring lacks ", missing, " (Linux 5.12 has all of it)"));
  }
  if (!disabled.empty()) {
    return absl::UnimplementedError(absl::StrCat("io_uring is not used without ", disabled, ", which is disabled"));
  }
  return absl::OkStatus();
}

absl::Status Ring::TestAnother() const {
  Ring ring(kernel_);
  ring.record_ = record_;
  ring.supported_ = supported_;
  io_uring_params params = {};
  params.flags = setup_flags_ & ~unsigned{IORING_SETUP_R_DISABLED};
  params.cq_entries = 2 * kTestRing;
  ring.fd_ = ring.enter_fd_ = kernel_.Setup(kTestRing, &params);
  // Short of memory or of descriptors: there is room for the one that matters.
  if (ring.fd_ == -ENOMEM || ring.fd_ == -EMFILE || ring.fd_ == -ENFILE) return absl::OkStatus();
  if (ring.fd_ < 0) return ErrnoToStatus(-ring.fd_, "io_uring_setup");
  if (absl::Status status = ring.MapQueues(params); !status.ok()) return status;
  if (!ring.GoesRound()) {
    return absl::UnimplementedError("io_uring: what it was tried with did not come back as it should");
  }
  kernel_.Trust();
  return absl::OkStatus();
}

bool Ring::GoesRound() {
  // In static memory: a ring that is not to be trusted may write to it at any time.
  static char received;
  static char sent = 'x';
  int ends[2];
  const bool transfers = Supports(IORING_OP_RECV) && Supports(IORING_OP_SEND) && kernel_.machine().OpenPair(ends);
  unsigned asked = Ask(kNothing, IORING_OP_NOP, -1, nullptr);
  if (transfers) {
    asked |= Ask(kReceive, IORING_OP_RECV, ends[0], &received);
    asked |= Ask(kSend, IORING_OP_SEND, ends[1], &sent);
    asked |= Ask(kWaitInVain, IORING_OP_RECV, ends[1], &received);
    asked |= Ask(kCancel, IORING_OP_ASYNC_CANCEL, -1, nullptr);
  }
  const bool right = Brings(asked);
  for (int i = 0; transfers && i < 2; ++i) kernel_.machine().system().Close(ends[i]);
  return right;
}

unsigned Ring::Ask(unsigned trial, uint8_t opcode, int fd, char* byte) {
  if (io_uring_sqe* entry = NextEntry(); entry != nullptr) {
    entry->opcode = opcode;
    entry->fd = fd;
    entry->addr = byte != nullptr ? reinterpret_cast<uintptr_t>(byte) : 0;
    entry->len = byte != nullptr ? 1 : 0;
    if (trial == kCancel) entry->addr = kTrialMark + kWaitInVain;
    entry->user_data = kTrialMark + trial;
    Push();
  }
  return 1u << trial;
}

bool Ring::Brings(unsigned asked) {
  const unsigned count = static_cast<unsigned>(std::popcount(asked));
  unsigned right = 0;
  unsigned completions = 0;
  MonotonicTime until = {kernel_.machine().Now().nanoseconds + kTestNanoseconds};
  for (int enters = 0; enters < kTestEnters && completions < count; ++enters) {
    int result = Enter(count - completions, until);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) return false;
    completions += Reap([](uint64_t) {},
                        [&](const io_uring_cqe& completion) {
                          uint64_t trial = completion.user_data - kTrialMark;
                          if (trial < kTrials && IsRight(static_cast<unsigned>(trial), completion.res))
                            right |= 1u << trial;
                        });
  }
  return completions == count && right == asked && unsubmitted() == 0;
}

Capabilities Ring::capabilities() const {
  Capabilities capabilities;
  capabilities.submission_entries = entries();
  capabilities.completion_entries = completion_entries();
  capabilities.shrunk = shrunk_;
  capabilities.restricted = restricted_;
  for (const FeatureFacts& facts : AllFeatures()) capabilities.features.push_back(CapabilityFor(facts.feature));
  return capabilities;
}

int Ring::Register(unsigned opcode, void* argument, unsigned count) {
  // In a child the ring is the parent's.
  return thread_.IsThisProcess() ? kernel_.Register(fd_, opcode, argument, count) : -EBADF;
}

void Ring::Downgrade(Feature feature) {
  FeatureSet one;
  one.Add(feature);
  record_.TurnOff(feature, WhyOff::kRequestRefused);
  kernel_.Lacks(one);
}

absl::Status Ring::Enable() {
  if (!(kernel_.Asking() == creator_)) {
    return absl::FailedPreconditionError(
        "privileges have changed since it was set up; drop them before anything of the library is made");
  }
  thread_.Bind();
  // Registrations come first: on kernels of the 5.15 class each waits for all requests in flight. All but enabling are
  // optional.
  //
  // A worker that blocks costs a thread; the kernel's own bound for unbounded work is the process limit.
  unsigned workers[2] = {4, 16};
  if (Has(Feature::kWorkerLimit) && kernel_.Register(fd_, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2) < 0) {
    record_.TurnOff(Feature::kWorkerLimit, WhyOff::kRegisterRefuses);
  }
  if (int result = kernel_.Register(fd_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0); result < 0) {
    return ErrnoToStatus(-result, "io_uring_register(ENABLE_RINGS)");
  }
  // The registration belongs to this thread.
  if (Has(Feature::kRegisteredRingFd)) {
    io_uring_rsrc_update update = {};
    update.offset = ~0u;
    update.data = static_cast<unsigned long long>(fd_);
    if (kernel_.Register(fd_, IORING_REGISTER_RING_FDS, &update, 1) == 1) {
      enter_fd_ = static_cast<int>(update.offset);
      enter_flags_ |= IORING_ENTER_REGISTERED_RING;
    } else {
      record_.TurnOff(Feature::kRegisteredRingFd, WhyOff::kRegisterRefuses);
    }
  }
  enabled_ = true;
  return absl::OkStatus();
}

Ring::~Ring() {
  if (enter_fd_ != fd_ && thread_.IsThisThread()) {
    // A registered ring lives until its thread ends, whatever else is closed. On another thread the index is another's.
    io_uring_rsrc_update update = {};
    update.offset = static_cast<unsigned>(enter_fd_);
    kernel_.Register(fd_, IORING_UNREGISTER_RING_FDS, &update, 1);
  }
  for (const Mapping& mapping : {queues_, entries_}) {
    // In a child the place is empty, or somebody else's by now.
    if (mapping.address != nullptr && thread_.IsThisProcess()) kernel_.Unmap(mapping.address, mapping.size);
  }
  if (fd_ >= 0) kernel_.Close(fd_);
}

unsigned Ring::unsubmitted() const { return tail_ - Load(submission_.head); }

int Ring::Enter(unsigned wait_for, MonotonicTime until) {
  // Release: the kernel may read the entries once it sees the new tail.
  std::atomic_ref(*submission_.tail).store(tail_, std::memory_order_release);
  unsigned flags = enter_flags_ | IORING_ENTER_GETEVENTS;
  if (wait_for == 0 || until == MonotonicTime::Infinite()) {
    return kernel_.Enter(enter_fd_, unsubmitted(), wait_for, flags, nullptr, 0);
  }
  int64_t nanoseconds = std::max<int64_t>(until.nanoseconds, 0);
  if (Has(Feature::kAbsoluteTimer)) {
    flags |= kEnterAbsoluteTimer;
  } else {
    nanoseconds = std::max<int64_t>(nanoseconds - kernel_.machine().Now().nanoseconds, 0);
  }
  __kernel_timespec time = {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  io_uring_getevents_arg argument = {};
  argument.ts = reinterpret_cast<uintptr_t>(&time);
  return kernel_.Enter(enter_fd_, unsubmitted(), wait_for, flags | IORING_ENTER_EXT_ARG, &argument, sizeof(argument));
}

}  // namespace proactor
