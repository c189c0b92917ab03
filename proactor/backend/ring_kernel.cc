// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/ring_kernel.h"

#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

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
  std::string Release() override {
    utsname name;
    return uname(&name) == 0 ? name.release : "";
  }
  Credentials Asking() override { return Credentials::OfThisThread(); }
};

}  // namespace

RingKernel& RingKernel::Real() {
  static RealKernel kernel;
  return kernel;
}

absl::Status CheckRelease(std::string_view release) {
  int major = 0, minor = 0, patch = 0;
  if (std::sscanf(std::string(release).c_str(), "%d.%d.%d", &major, &minor, &patch) < 2 || major != 5) {
    return absl::OkStatus();
  }
  if (patch == 0 && release.find('-') != std::string_view::npos) return absl::OkStatus();
  // A write that waits for one before it, to the same file, may never be told that its turn has come.
  bool loses_wakes = (minor >= 11 && minor <= 13) || (minor == 14 && patch < 19) || (minor == 15 && patch < 3);
  if (!loses_wakes) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("the io_uring of Linux ", std::string(release),
                   " loses the wake-ups of writes; that of Linux 5.14.19, 5.15.3 and later does not"));
}

}  // namespace proactor
