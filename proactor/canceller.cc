// SPDX-License-Identifier: Apache-2.0
#include "proactor/canceller.h"

#include <mutex>
#include <string>
#include <utility>

#include "proactor/remote_message.h"

namespace proactor {

class Canceller::Request final : public RemoteMessage, public ScopeWatcher {
 public:
  explicit Request(CancelScope& scope) : scope_(&scope) {}

  void Cancel(const std::shared_ptr<Request>& self, std::string_view reason) {
    std::lock_guard lock(mutex_);
    if (cancel_) return;
    cancel_ = true;
    reason_ = reason;
    SendOne(self);
  }

  void StopSoon(const std::shared_ptr<Request>& self) {
    std::lock_guard lock(mutex_);
    if (stop_) return;
    stop_ = true;
    SendOne(self);
  }

  void Receive() override {
    std::shared_ptr<Request> self;  // Goes after the lock does.
    bool stop, cancel;
    {
      std::lock_guard lock(mutex_);
      self = std::move(on_its_way_);
      if (scope_ == nullptr) return;
      stop = stop_;
      cancel = cancel_;
    }
    // On the thread that ends the scope, so it lives.
    if (stop) scope_->StopSoon();
    if (cancel) scope_->Cancel(reason_);  // Not written again.
  }

  void Discard() override {
    std::shared_ptr<Request> self;
    std::lock_guard lock(mutex_);
    self = std::move(on_its_way_);
  }

  void ScopeEnds() override {
    std::lock_guard lock(mutex_);
    scope_ = nullptr;
  }

 private:
  void SendOne(const std::shared_ptr<Request>& self) {
    if (scope_ == nullptr || on_its_way_ != nullptr) return;
    on_its_way_ = self;
    Send(*scope_->context().loop, *this);
  }

  std::mutex mutex_;
  CancelScope* scope_;  // Null once it has ended.
  std::shared_ptr<Request> on_its_way_;
  bool stop_ = false;
  bool cancel_ = false;
  std::string reason_;
};

Canceller::Canceller(CancelScope& scope) {
  std::shared_ptr<ScopeWatcher>& watcher = scope.details().watcher;
  if (watcher == nullptr) watcher = std::make_shared<Request>(scope);
  request_ = std::static_pointer_cast<Request>(watcher);
}

void Canceller::Cancel(std::string_view reason) const { request_->Cancel(request_, reason); }
void Canceller::StopSoon() const { request_->StopSoon(request_); }

}  // namespace proactor
