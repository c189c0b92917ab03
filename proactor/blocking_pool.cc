// SPDX-License-Identifier: Apache-2.0
//
// Why no job is left lying: a thread sleeps only when, under the lock, no job waits, and each `Submit` after that takes
// one sleeper out of the list. So each waiting job has a thread of its own that is awake or starting and will look for
// jobs before it sleeps, or there are as many threads as there may be and all of them will.
#include "proactor/blocking_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <new>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proactor/errors.h"

namespace proactor {

BlockingPool& BlockingPool::Shared() {
  // Jobs may run, and be submitted, until the process has ended.
  alignas(BlockingPool) static char place[sizeof(BlockingPool)];
  static BlockingPool& pool = []() -> BlockingPool& {
    // In a child its threads are missing, and its lock may be taken for ever: a new one takes its place.
    pthread_atfork(nullptr, nullptr, [] { new (place) BlockingPool; });
    return *new (place) BlockingPool;
  }();
  return pool;
}

BlockingPool::BlockingPool(BlockingPoolOptions options)
    : max_threads_(options.max_threads),
      // At most a year, because a condition variable's deadline is a moment, which must not overflow.
      idle_(absl::ToChronoNanoseconds(std::clamp(options.idle, absl::ZeroDuration(), absl::Hours(24 * 365)))) {
  Check(max_threads_ >= 1, "A BlockingPool needs a thread; let max_threads be 1 or more.");
}

BlockingPool::~BlockingPool() {
  std::unique_lock lock(mutex_);
  Check(jobs_.empty(), [this] {
    return absl::StrCat("A BlockingPool ends while jobs wait to be started (", waiting_jobs_,
                        "); let them run, or Remove them, before.");
  });
  ending_ = true;
  while (Sleeper* sleeper = sleepers_.PopFront()) sleeper->wake.notify_one();
  thread_left_.wait(lock, [this] { return threads_ == 0; });
}

void BlockingPool::Submit(BlockingJob& job) {
  std::lock_guard lock(mutex_);
  Check(!ending_, "A job was submitted to a BlockingPool that ends; end what submits before the pool.");
  Check(!job.linked(), "A BlockingJob was submitted while it waits; submit it again when it runs or has been removed.");
  jobs_.PushBack(job);
  ++waiting_jobs_;
  WakeOrStartOne();
}

bool BlockingPool::Remove(BlockingJob& job) {
  std::lock_guard lock(mutex_);
  if (!job.linked()) return false;
  job.Unlink();
  --waiting_jobs_;
  return true;
}

void BlockingPool::WakeOrStartOne() {
  if (Sleeper* sleeper = sleepers_.PopFront()) {
    sleeper->wake.notify_one();  // Under the lock: after it the sleeper may be gone.
    return;
  }
  if (threads_ == max_threads_) return;
  int error = StartThread();
  if (error == 0) ++threads_;
  Check(threads_ > 0, [error] {
    return absl::StrCat("A BlockingPool cannot start its first thread (",
                        ErrnoToStatus(error, "pthread_create").message(),
                        "); allow more threads (ulimit -u, or pids.max of the control group) or memory.");
  });
}

int BlockingPool::StartThread() {
  // The service's signals are for its own threads: a handler must not run here, and sigwait(3) and signalfd(2)
  // elsewhere need them blocked everywhere. Faults remain, so that whoever reports crashes sees them.
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&blocked, fault);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);  // Most end with nobody there to join them.
  auto body = [](void* pool) -> void* {
    pthread_setname_np(pthread_self(), "proactor-pool");
    static_cast<BlockingPool*>(pool)->Work();
    return nullptr;
  };
  pthread_t thread;
  pthread_sigmask(SIG_SETMASK, &blocked, &before);  // A thread inherits the mask, so that no signal is too early.
  int error = pthread_create(&thread, &attributes, body, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return error;
}

void BlockingPool::Work() {
  std::unique_lock lock(mutex_);
  do {
    while (BlockingJob* job = jobs_.PopFront()) {
      --waiting_jobs_;
      lock.unlock();
      job->Run();  // From here on the job may be gone.
      lock.lock();
    }
  } while (!ending_ && SleepUntilWanted(lock));
  --threads_;
  thread_left_.notify_all();  // Under the lock: after it the pool may be gone.
}

bool BlockingPool::SleepUntilWanted(std::unique_lock<std::mutex>& lock) {
  Sleeper sleeper;
  sleepers_.PushFront(sleeper);
  ++idle_threads_;
  sleeper.wake.wait_for(lock, idle_, [&] { return !sleeper.linked(); });
  --idle_threads_;
  bool wanted = !sleeper.linked();
  sleeper.Unlink();
  return wanted;
}

int BlockingPool::threads() const {
  std::lock_guard lock(mutex_);
  return threads_;
}

int BlockingPool::idle_threads() const {
  std::lock_guard lock(mutex_);
  return idle_threads_;
}

size_t BlockingPool::waiting_jobs() const {
  std::lock_guard lock(mutex_);
  return waiting_jobs_;
}

}  // namespace proactor
