// SPDX-License-Identifier: Apache-2.0
#include "tests/support/contention.h"

#include <random>

namespace proactor {

Task<absl::Status> Contention::Interrupt(const Visit& visit) {
  co_await Try(Sleep(absl::Microseconds(visit.arrives + visit.patience)));
  if (visit.interruption == Interruption::kCancelledLate) co_await Try(Sleep(absl::ZeroDuration()));
  if (auto found = scopes_.find(visit.id); found != scopes_.end()) found->second->Cancel();
  co_return absl::OkStatus();
}

void ForEveryMeeting(const std::vector<int>& wants, const std::function<void(const std::vector<Visit>&)>& run) {
  std::vector<Visit> later;
  for (int arrives = 0; arrives <= 1; ++arrives) {
    for (int want : wants) {
      later.push_back({.arrives = arrives, .stays = 1, .wants = want});
      for (Interruption interruption :
           {Interruption::kDeadline, Interruption::kCancelled, Interruption::kCancelledLate}) {
        for (int patience = 0; patience <= 2; ++patience)
          later.push_back({0, arrives, patience, interruption, 1, want});
      }
    }
  }
  for (int stays = 0; stays <= 2; ++stays) {
    for (int want : wants) {
      for (Visit second : later) {
        for (Visit third : later) {
          second.id = 1;
          third.id = 2;
          run({{.stays = stays, .wants = want}, second, third});
        }
      }
    }
  }
}

std::vector<Visit> CrowdFromSeed(uint64_t seed, int most) {
  std::mt19937_64 random(seed);
  auto below = [&](int limit) { return static_cast<int>(random() % static_cast<uint64_t>(limit)); };
  std::vector<Visit> visits;
  for (int id = 0; id < 20; ++id) {
    visits.push_back({id, below(30), below(8), static_cast<Interruption>(below(4)), below(5), 1 + below(most)});
  }
  return visits;
}

}  // namespace proactor
