// SPDX-License-Identifier: Apache-2.0
//
// ThreadMark: which thread of which process something belongs to.
//
//   ThreadMark owner;                                            // This process, and no thread yet.
//   owner.Bind();                                                // This one.
//   owner.Check("A Scheduler", "send it work with Post");        // Ends the process on any other.
//
// In a child after fork(2), nothing belongs to the thread that there is: what was its is its parent's. To ask costs a
// load and a comparison, because each thread that is bound to has a number that no other thread of the process ever
// gets, and a handler of pthread_atfork(3) takes it away in a child. A child made by clone(2) itself runs no handlers
// and is not told from its parent.
//
// Threads: `Bind` is for one; the others may ask once they know of the object.
#ifndef PROACTOR_THREAD_MARK_H_
#define PROACTOR_THREAD_MARK_H_

#include <sys/types.h>

#include <cstdint>
#include <string_view>

namespace proactor {

class ThreadMark {
 public:
  ThreadMark();

  // Makes it this thread's. Does nothing in a child of its process.
  void Bind();
  bool bound() const { return thread_ != kNone; }

  // For what has nothing of the kernel, and so can go on in a child, as a copy.
  void GoOnInChildren() { goes_on_ = true; }

  bool IsThisThread() const { return thread_ == this_thread_; }
  bool IsThisProcess() const { return process_ == this_process_; }

  // Ends the process where `what` belongs to another thread or another process, with a sentence that says what to do
  // instead. As long as it is bound to no thread, it may be used on any.
  void Check(std::string_view what, std::string_view instead) {
    if (!IsThisThread()) [[unlikely]]
      Elsewhere(what, instead);
  }
  // The same for what any thread of the process may do.
  void CheckProcess(std::string_view what) {
    if (!IsThisProcess()) [[unlikely]]
      InChild(what);
  }

 private:
  static constexpr uint64_t kNone = ~uint64_t{0};

  static void ForgetInChild();
  void Elsewhere(std::string_view what, std::string_view instead);
  // Ends the process, unless it goes on in children.
  void InChild(std::string_view what);

  // 0: nothing was bound to it yet.
  static inline constinit thread_local uint64_t this_thread_ = 0;
  static inline constinit int this_process_ = 0;  // How many forks lie between it and the first.

  uint64_t thread_ = kNone;
  int process_;
  pid_t process_id_;
  bool goes_on_ = false;
  // As it is in a debugger's list of threads; no name is longer.
  struct Name {
    char text[16] = "";
    pid_t number = 0;
  } name_;

  static Name NameOfThisThread();
};

}  // namespace proactor

#endif  // PROACTOR_THREAD_MARK_H_
