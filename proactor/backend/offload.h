// SPDX-License-Identifier: Apache-2.0
//
// Offload: performs operations on the BlockingPool, for a proactor that cannot have the kernel do it.
//
//   offload.Submit(operation);   // a thread of the pool performs it; it is completed on the scheduler's thread
//   offload.Cancel(operation);   // completed as cancelled if no thread has begun; otherwise it takes its time
//   offload.Drain();             // first of all in the proactor's destructor
//
// The result comes back as a message to the operation's loop. In steady state nothing is allocated: jobs are reused.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_BACKEND_OFFLOAD_H_
#define PROACTOR_BACKEND_OFFLOAD_H_

#include <atomic>
#include <memory>
#include <vector>

#include "proactor/blocking_pool.h"
#include "proactor/operation/operation_base.h"
#include "proactor/system.h"
#include "proactor/thread_mark.h"

namespace proactor {

class Offload {
 public:
  // Both outlive it.
  explicit Offload(JobRunner& runner = BlockingPool::Shared(), System& system = System::Real());
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  void Submit(OperationBase& operation);
  void Cancel(OperationBase& operation);

  // Waits until the pool's threads have left everything that belongs to this proactor and its loop. All operations are
  // complete by then, but the thread that sent the last result may still be on its way out. In a child after fork(2),
  // where the threads are missing, it does not wait.
  void Drain();

 private:
  class Job;

  const ThreadMark made_;
  JobRunner& runner_;
  System& system_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<Job*> free_;
  std::atomic<int> threads_inside_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_OFFLOAD_H_
