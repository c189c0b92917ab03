// SPDX-License-Identifier: Apache-2.0
#include "proactor/pause.h"

#include <algorithm>

#include "proactor/clock.h"

namespace proactor {
namespace {

// Of this thread, and without a destructor: descriptors may be closed while the thread, or the process, ends.
thread_local constinit Pause* first = nullptr;
thread_local constinit uint64_t closes = 0;

}  // namespace

void DescriptorClosed() {
  ++closes;
  while (first != nullptr) first->Fire();
}

void Pause::Mark() { mark_ = closes; }

bool Pause::Begin(Loop& loop) {
  if (closes != mark_) return false;
  loop.timers.Start(*this, loop.clock.Now() + length_);
  length_ = std::min(2 * length_, kLongest);
  next_ = first;
  link_ = &first;
  if (next_ != nullptr) next_->link_ = &next_;
  first = this;
  return true;
}

void Pause::End() {
  Timer::Stop();
  if (link_ == nullptr) return;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  next_ = nullptr;
  link_ = nullptr;
}

void Pause::Fire() {
  End();
  TryAgain();
}

}  // namespace proactor
