// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_kernel.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "proactor/log.h"

namespace proactor {
namespace {

// Newer than the liburing that this builds with.
constexpr unsigned kEnterAbsoluteTimer = 1u << 5;        // Linux 6.12
constexpr unsigned kUseRegisteredRing = 1u << 31;        // Linux 6.3
constexpr unsigned kMostEntries = 32768;

// Which flags need which.
bool Sensible(unsigned flags) {
  auto has = [flags](unsigned flag) { return (flags & flag) != 0; };
  if (has(IORING_SETUP_DEFER_TASKRUN) && !has(IORING_SETUP_SINGLE_ISSUER)) return false;
  return !has(IORING_SETUP_TASKRUN_FLAG) || has(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN);
}

}  // namespace

FakeKernel::FakeKernel(SimulatedSystem& system, FakeKernelOptions options) : options_(options), machine_(system) {
  machine_.OnInterrupt([this] {
    for (auto& [fd, ring] : rings_) ring->Interrupt();
  });
}

FakeKernel::~FakeKernel() {
  Check(rings_.empty(), "A fake kernel ends before the rings that were set up in it; destroy their proactors first.");
}

int FakeKernel::Setup(unsigned entries, io_uring_params* params) {
  const FakeKernelProfile& profile = options_.profile;
  if (profile.setup_error != 0) return -profile.setup_error;
  if ((params->flags & ~profile.setup_flags) != 0 || !Sensible(params->flags)) return -EINVAL;
  auto rounded = [&](unsigned wanted, unsigned most) {
    bool clamp = (params->flags & IORING_SETUP_CLAMP) != 0;
    return wanted == 0 || (wanted > most && !clamp) ? 0 : std::bit_ceil(std::min(wanted, most));
  };
  params->sq_entries = rounded(entries, kMostEntries);
  bool chosen = (params->flags & IORING_SETUP_CQSIZE) != 0;
  params->cq_entries = chosen ? rounded(params->cq_entries, 2 * kMostEntries) : 2 * params->sq_entries;
  if (params->sq_entries == 0 || params->cq_entries < params->sq_entries) return -EINVAL;
  if (params->sq_entries > profile.largest_ring || machine_.Now() < memory_at_) return -ENOMEM;
  params->features = profile.features;
  rings_[next_ring_] = std::make_unique<FakeRing>(machine_, options_, *params);
  return next_ring_++;
}

FakeRing* FakeKernel::Find(int fd, bool registered) {
  if (registered) {
    auto found = registered_.find(fd);
    if (found == registered_.end()) return nullptr;
    fd = found->second;
  }
  auto found = rings_.find(fd);
  return found != rings_.end() ? found->second.get() : nullptr;
}

int FakeKernel::Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) {
  if ((flags & ~options_.profile.enter_flags) != 0) return -EINVAL;
  FakeRing* ring = Find(fd, (flags & IORING_ENTER_REGISTERED_RING) != 0);
  if (ring == nullptr) return -EBADF;
  FakeRing::Request request = {.submit = submit, .wait_for = wait_for, .flags = flags};
  if ((flags & IORING_ENTER_EXT_ARG) != 0) {
    if (size != sizeof(io_uring_getevents_arg)) return -EINVAL;
    const auto& extended = *static_cast<const io_uring_getevents_arg*>(argument);
    if (extended.ts != 0) {
      const auto& time = *reinterpret_cast<const __kernel_timespec*>(extended.ts);
      int64_t nanoseconds = time.tv_sec * 1'000'000'000 + time.tv_nsec;
      bool absolute = (flags & kEnterAbsoluteTimer) != 0;
      request.until = {absolute ? nanoseconds : machine_.Now().nanoseconds + nanoseconds};
    }
  }
  return ring->Enter(request, [this] { Deadlock(); });
}

int FakeKernel::Register(int fd, unsigned opcode, void* argument, unsigned count) {
  bool registered = (opcode & kUseRegisteredRing) != 0;
  opcode &= ~kUseRegisteredRing;
  if (opcode >= options_.profile.registrations) return -EINVAL;
  FakeRing* ring = Find(fd, registered);
  if (ring == nullptr) return -EBADF;
  if (!ring->restrictions().AllowRegistration(opcode)) return -EACCES;
  switch (opcode) {
    case IORING_REGISTER_PROBE:
      Probe(*static_cast<io_uring_probe*>(argument), count);
      return 0;
    case IORING_REGISTER_RESTRICTIONS:
      return ring->Restrict({static_cast<const io_uring_restriction*>(argument), count});
    case IORING_REGISTER_ENABLE_RINGS:
      return ring->Enable();
    case IORING_REGISTER_IOWQ_MAX_WORKERS:
      return 0;
    case IORING_REGISTER_RING_FDS:
      return RegisterRing(*static_cast<io_uring_rsrc_update*>(argument));
    case IORING_UNREGISTER_RING_FDS:
      registered_.erase(static_cast<int>(static_cast<io_uring_rsrc_update*>(argument)->offset));
      return 1;
    case IORING_REGISTER_FILES:
      if (count > options_.profile.most_files) return -EMFILE;
      return ring->files().Register({static_cast<const int*>(argument), count});
    case IORING_REGISTER_FILES_UPDATE:
      return ring->files().Update(*static_cast<const io_uring_files_update*>(argument), count);
    case IORING_REGISTER_PBUF_RING:
      if (ring->buffers().groups() == options_.profile.buffer_rings) return -ENOMEM;
      return ring->buffers().Register(*static_cast<const io_uring_buf_reg*>(argument));
    case IORING_UNREGISTER_PBUF_RING:
      return ring->buffers().Unregister(static_cast<const io_uring_buf_reg*>(argument)->bgid);
    default:
      return -EINVAL;
  }
}

int FakeKernel::RegisterRing(io_uring_rsrc_update& update) {
  if (update.offset != ~0u) return -EINVAL;
  update.offset = 0;
  while (registered_.contains(static_cast<int>(update.offset))) ++update.offset;
  registered_[static_cast<int>(update.offset)] = static_cast<int>(update.data);
  return 1;
}

void FakeKernel::Probe(io_uring_probe& probe, unsigned count) const {
  probe.last_op = static_cast<__u8>(options_.profile.operations - 1);
  probe.ops_len = static_cast<__u8>(std::min(count, options_.profile.operations));
  for (unsigned i = 0; i < probe.ops_len; ++i) {
    probe.ops[i].op = static_cast<__u8>(i);
    probe.ops[i].flags = i == options_.profile.hidden_operation ? 0 : IO_URING_OP_SUPPORTED;
  }
}

void* FakeKernel::Map(int fd, size_t size, off_t offset) {
  FakeRing* ring = Find(fd, false);
  void* address = ring != nullptr ? ring->queues().Map(size, offset) : nullptr;
  if (address != nullptr) return address;
  errno = EINVAL;
  return MAP_FAILED;
}

void FakeKernel::Close(int fd) {
  FakeRing* ring = Find(fd, false);
  Check(ring == nullptr || !ring->PointsAtMemory(),
        "A ring was closed while a request in flight points at memory of the user's: await its completion before.");
  rings_.erase(fd);
}

void FakeKernel::LoseCompletions() {
  for (auto& [fd, ring] : rings_) ring->LoseCompletions();
}

void FakeKernel::Deadlock() {
  if (on_deadlock_) return on_deadlock_();
  CheckFailed("Deadlock: an io_uring of the fake kernel waits, and nothing is left to happen.");
}

}  // namespace proactor
