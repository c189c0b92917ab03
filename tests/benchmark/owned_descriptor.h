// SPDX-License-Identifier: Apache-2.0

// A file descriptor that closes itself.
#ifndef PROACTOR_TESTS_BENCHMARK_OWNED_DESCRIPTOR_H_
#define PROACTOR_TESTS_BENCHMARK_OWNED_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace proactor::benchmark {

class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int number) : number_(number) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~OwnedDescriptor() {
    if (number_ >= 0) close(number_);
  }

  // -1 when there is none, so the result of a system call can be wrapped first and checked afterwards.
  int number() const { return number_; }

 private:
  int number_ = -1;
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_OWNED_DESCRIPTOR_H_
