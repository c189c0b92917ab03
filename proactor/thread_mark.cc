// SPDX-License-Identifier: Apache-2.0
#include "proactor/thread_mark.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"

namespace proactor {

ThreadMark::Name ThreadMark::NameOfThisThread() {
  Name name = {.number = gettid()};
  pthread_getname_np(pthread_self(), name.text, sizeof(name.text));
  return name;
}

// Of the threads, only that which has called fork(2) is in the child.
void ThreadMark::ForgetInChild() {
  ++this_process_;
  this_thread_ = 0;
}

ThreadMark::ThreadMark() : process_(this_process_), process_id_(getpid()) {
  [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, &ForgetInChild);
}

void ThreadMark::Bind() {
  static std::atomic<uint64_t> last = 0;  // Only a number: relaxed.
  if (!IsThisProcess()) return;
  if (this_thread_ == 0) this_thread_ = last.fetch_add(1, std::memory_order_relaxed) + 1;
  thread_ = this_thread_;
  name_ = NameOfThisThread();
}

void ThreadMark::Elsewhere(std::string_view what, std::string_view instead) {
  if (!IsThisProcess()) InChild(what);
  if (!bound() || IsThisThread()) return;
  Name here = NameOfThisThread();
  CheckFailed(absl::StrCat(std::string(what), " was used from the thread \"", here.text, "\" (", here.number,
                           "), but runs on \"", name_.text, "\" (", name_.number, "): ", std::string(instead), "."));
}

void ThreadMark::InChild(std::string_view what) {
  if (!goes_on_) {
    CheckFailed(absl::StrCat(std::string(what), " was used in a child after fork(2) (", getpid(),
                             "), but belongs to its parent (", process_id_,
                             "), with which it would share a ring or an epoll: make another one in the child, and "
                             "leave the child with _exit or execve."));
  }
  bool was_bound = bound();
  process_ = this_process_;
  process_id_ = getpid();
  if (was_bound) Bind();
}

}  // namespace proactor
