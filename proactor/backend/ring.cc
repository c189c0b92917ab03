// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "proactor/errors.h"

namespace proactor {
namespace {

// Constants newer than the liburing that this builds with. Not under the kernel's names, which a newer header defines
// as enumerators, where no #ifndef can see them.
constexpr unsigned kEnterAbsoluteTimer = 1u << 5;  // Linux 6.12
constexpr unsigned kEnterNoIoWait = 1u << 7;       // Linux 6.15
constexpr unsigned kFeatureMinTimeout = 1u << 15;  // Linux 6.12: came with kEnterAbsoluteTimer
constexpr unsigned kFeatureNoIoWait = 1u << 17;    // Linux 6.15

// From the best to the least; the first that setup accepts is used. Each is a set that some kernel had in common.
constexpr unsigned kLadder[] = {
    // Linux 6.1: completions run on the one thread that waits, when it waits.
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    // Linux 6.0
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_R_DISABLED,
    // Linux 5.19
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    // Linux 5.18
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED,
    // Linux 5.10
    IORING_SETUP_R_DISABLED,
};

// NODROP: overflow loses nothing. EXT_ARG: a timeout in the wait (5.11). NATIVE_WORKERS: workers are threads of this
// process (5.12), which is where the kernel's model became sound.
constexpr unsigned kRequiredFeatures = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
                                       IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG |
                                       IORING_FEAT_NATIVE_WORKERS;

constexpr unsigned kSmallestRing = 32;

class RealKernel final : public RingKernel {
 public:
  int Setup(unsigned entries, io_uring_params* params) override { return io_uring_setup(entries, params); }
  int Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) override {
    return io_uring_enter2(static_cast<unsigned>(fd), submit, wait_for, flags, static_cast<sigset_t*>(argument), size);
  }
  int Register(int fd, unsigned opcode, void* argument, unsigned count) override {
    return io_uring_register(static_cast<unsigned>(fd), opcode, argument, count);
  }
  void* Map(int fd, size_t size, off_t offset) override {
    void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
    // A child that touches its parent's ring dies at once instead of corrupting it.
    if (address != MAP_FAILED) madvise(address, size, MADV_DONTFORK);
    return address;
  }
  void Unmap(void* address, size_t size) override { munmap(address, size); }
  void Close(int fd) override { close(fd); }
};

}  // namespace

RingKernel& RingKernel::Real() {
  static RealKernel kernel;
  return kernel;
}

absl::StatusOr<std::unique_ptr<Ring>> Ring::Create(RingOptions options, RingKernel& kernel) {
  std::unique_ptr<Ring> ring(new Ring(kernel));
  if (absl::Status status = ring->SetUp(options); !status.ok()) return status;
  if (absl::Status status = ring->Probe(); !status.ok()) return status;
  return ring;
}

absl::Status Ring::SetUp(RingOptions options) {
  io_uring_params params;
  size_t rung = 0;
  while (true) {
    params = {};
    params.flags = kLadder[rung] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
    params.cq_entries = options.completions;
    fd_ = kernel_.Setup(options.entries, &params);
    if (fd_ >= 0) break;
    if (fd_ == -EINVAL && rung + 1 < std::size(kLadder)) {
      ++rung;
    } else if (fd_ == -ENOMEM && options.entries > kSmallestRing) {
      options.entries /= 2;
      options.completions = std::max(options.completions / 2, 2 * options.entries);
    } else {
      return ErrnoToStatus(-fd_, "io_uring_setup");
    }
  }
  setup_flags_ = params.flags;
  features_ = params.features;
  if (unsigned missing = kRequiredFeatures & ~features_; missing != 0) {
    return absl::UnimplementedError(absl::StrCat("io_uring_setup: the kernel's io_uring lacks features ",
                                                 absl::Hex(missing), " (Linux 5.12 has them)"));
  }
  enter_fd_ = fd_;
  if ((features_ & kFeatureNoIoWait) != 0) enter_flags_ |= kEnterNoIoWait;
  return MapQueues(params);
}

absl::Status Ring::MapQueues(const io_uring_params& params) {
  queues_.size = std::max<size_t>(params.sq_off.array + params.sq_entries * sizeof(unsigned),
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
  unsigned* array = word(params.sq_off.array);
  for (unsigned i = 0; i < params.sq_entries; ++i) array[i] = i;
  return absl::OkStatus();
}

absl::Status Ring::Probe() {
  alignas(io_uring_probe) char space[sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op)] = {};
  auto* probe = reinterpret_cast<io_uring_probe*>(space);
  int result = kernel_.Register(fd_, IORING_REGISTER_PROBE, probe, 256);
  // EINVAL: io_uring_register(2) is there, without this. Nothing is known then.
  if (result < 0 && result != -EINVAL) return ErrnoToStatus(-result, "io_uring_register");
  for (unsigned i = 0; i < probe->ops_len; ++i) {
    if ((probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0) supported_.set(probe->ops[i].op);
  }
  // EBADFD is the ring's own answer before it is enabled; anything else comes from who stands before it.
  result = kernel_.Enter(fd_, 0, 0, 0, nullptr, 0);
  if (result < 0 && result != -EBADFD) return ErrnoToStatus(-result, "io_uring_enter");
  return absl::OkStatus();
}

absl::Status Ring::Enable() {
  // Registrations come first: on kernels of the 5.15 class each waits for all requests in flight. All but enabling are
  // optional.
  //
  // A worker that blocks costs a thread; the kernel's own bound for unbounded work is the process limit.
  unsigned workers[2] = {4, 16};
  kernel_.Register(fd_, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
  if (int result = kernel_.Register(fd_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0); result < 0) {
    return ErrnoToStatus(-result, "io_uring_register(ENABLE_RINGS)");
  }
  // The registration belongs to this thread. Kernels that know SEND_ZC (6.0) have one that can be undone; some vendor
  // kernels before accept it and hang at exit.
  if (Supports(IORING_OP_SEND_ZC)) {
    io_uring_rsrc_update update = {};
    update.offset = ~0u;
    update.data = static_cast<unsigned long long>(fd_);
    if (kernel_.Register(fd_, IORING_REGISTER_RING_FDS, &update, 1) == 1) {
      enter_fd_ = static_cast<int>(update.offset);
      enter_flags_ |= IORING_ENTER_REGISTERED_RING;
    }
  }
  enabled_ = true;
  return absl::OkStatus();
}

Ring::~Ring() {
  if (enter_fd_ != fd_) {
    // A registered ring lives until its thread ends, whatever else is closed.
    io_uring_rsrc_update update = {};
    update.offset = static_cast<unsigned>(enter_fd_);
    kernel_.Register(fd_, IORING_UNREGISTER_RING_FDS, &update, 1);
  }
  for (const Mapping& mapping : {queues_, entries_}) {
    if (mapping.address != nullptr) kernel_.Unmap(mapping.address, mapping.size);
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
  if ((features_ & kFeatureMinTimeout) != 0) {
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
