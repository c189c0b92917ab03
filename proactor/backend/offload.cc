// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/offload.h"

#include <cerrno>
#include <thread>
#include <utility>

#include "proactor/remote_message.h"

namespace proactor {

// One operation on its way to the pool and back.
class Offload::Job final : public BlockingJob, public RemoteMessage {
 public:
  explicit Job(Offload& owner, size_t index) : owner_(owner), index_(index) {}

  OperationBase* operation = nullptr;  // Null while the job is free.
  size_t index() const { return index_; }

  void Run() override {
    // Once the message is sent, the loop may run to its end, and this job be gone.
    Offload& owner = owner_;
    owner.threads_inside_.fetch_add(1, std::memory_order_relaxed);
    result_ = operation->Perform(owner.system_);
    Send(operation->loop(), *this);
    // Release: all of the above has happened for whoever sees this thread gone.
    owner.threads_inside_.fetch_sub(1, std::memory_order_release);
  }

  void Receive() override {
    // It was ready when it was sent here, but a terminal has not always the room that it promises, and whoever else
    // writes to a pipe may have been faster. It is asked for again, and so waits again.
    bool found_nothing = result_ == -EAGAIN && operation->readiness() != Readiness::kBlocking;
    Finish(found_nothing ? -EINTR : result_);
  }

  void Finish(int result) {
    OperationBase& finished = *std::exchange(operation, nullptr);
    owner_.free_.push_back(this);
    finished.backend_state = 0;
    finished.Complete(result);
  }

 private:
  Offload& owner_;
  const size_t index_;
  int result_ = 0;
};

Offload::Offload(JobRunner& runner, System& system) : runner_(runner), system_(system) {}

Offload::~Offload() { Drain(); }

void Offload::Drain() {
  while (made_.IsThisProcess() && threads_inside_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

void Offload::Submit(OperationBase& operation) {
  if (free_.empty()) {
    jobs_.push_back(std::make_unique<Job>(*this, jobs_.size()));
    free_.push_back(jobs_.back().get());
  }
  Job& job = *free_.back();
  free_.pop_back();
  job.operation = &operation;
  // As much of the index as there is room for: where to begin to look for the job.
  operation.generation = static_cast<uint16_t>(job.index());
  runner_.Submit(job);
}

void Offload::Cancel(OperationBase& operation) {
  for (size_t i = operation.generation; i < jobs_.size(); i += 1 << 16) {
    Job& job = *jobs_[i];
    if (job.operation == &operation && runner_.Remove(job)) return job.Finish(-ECANCELED);
  }
}

}  // namespace proactor
