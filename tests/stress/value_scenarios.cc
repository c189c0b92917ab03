// SPDX-License-Identifier: Apache-2.0
//
// What carries values: Channel and SharedChannel, Future and SharedFuture, Broadcast, Watch; and Select.
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>

#include "proactor/run_blocking.h"
#include "proactor/sync/broadcast.h"
#include "proactor/sync/channel.h"
#include "proactor/sync/future.h"
#include "proactor/sync/select.h"
#include "proactor/sync/semaphore.h"
#include "proactor/sync/shared_channel.h"
#include "proactor/sync/shared_future.h"
#include "proactor/sync/watch.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"
#include "tests/support/receipt.h"

namespace proactor {
namespace {

// A value that can be neither copied nor made twice, and knows whether somebody still has it.
using Token = std::unique_ptr<int>;

// Every value that was sent is received, once, by somebody; a sender who fails still has it. Between threads, some send
// and receive on others.
template <class C>
Task<absl::Status> Exchange(Race& race) {
  constexpr bool kShared = std::is_same_v<C, SharedChannel<Token>>;
  C channel(static_cast<size_t>(race.Below(3)));
  constexpr int kSenders = 2, kReceivers = 2, kEach = 6;
  std::set<int> received;
  int senders = kSenders;
  auto sender = [&](int first) -> Task<absl::Status> {
    for (int i = first; i < first + kEach; ++i) {
      Token token = std::make_unique<int>(i);
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      while (true) {
        if (kShared && race.Below(4) == 0) {
          if (co_await Try(RunBlocking([&] { return channel.TrySend(std::move(token)); }))) break;
        }
        absl::Status status = co_await race.Interrupted(channel.Send(std::move(token)));
        co_await Try(Uninterrupted(status));
        co_await Try(Expect(status.ok() == (token == nullptr), "a send and its result do not agree"));
        if (status.ok()) break;
        co_await Try(LetTimePass());
      }
    }
    if (--senders == 0) channel.Close();
    co_return absl::OkStatus();
  };
  auto receiver = [&]() -> Task<absl::Status> {
    while (true) {
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      absl::StatusOr<std::optional<Token>> token = absl::CancelledError("");
      if (kShared && race.Below(4) == 0) {
        std::optional<Token> taken = co_await Try(RunBlocking([&] { return channel.TryReceive(); }));
        if (taken.has_value()) token = std::move(taken);
      } else {
        token = co_await race.Interrupted(channel.Receive());
      }
      co_await Try(Uninterrupted(token.status()));
      if (!token.ok()) {
        co_await Try(LetTimePass());
        continue;
      }
      if (!token->has_value()) co_return absl::OkStatus();
      co_await Try(Expect(received.insert(***token).second, "a value was received twice"));
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kSenders; ++i) group.Spawn(sender(i * kEach));
    for (int i = 0; i < kReceivers; ++i) group.Spawn(receiver());
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(received.size() == kSenders * kEach, "a value was lost");
}

Task<absl::Status> Channels(Race& race) { return Exchange<Channel<Token>>(race); }
Task<absl::Status> SharedChannels(Race& race) { return Exchange<SharedChannel<Token>>(race); }

// Who waits gets the value, the failure, or hears that there will be none; what nobody wants any more is dropped.
template <template <class> class P, template <class> class F>
Task<absl::Status> FutureRace(Race& race) {
  constexpr bool kShared = std::is_same_v<P<Receipt>, SharedPromise<Receipt>>;
  Ledger ledger;
  constexpr int kFutures = 4;
  int failed = 0;
  int given_up = 0;
  auto setter = [&](P<Receipt> promise) -> Task<absl::Status> {
    co_await Try(Sleep(race.Moment()));
    if (race.Below(6) == 0) co_return absl::OkStatus();  // Drops it.
    absl::StatusOr<Receipt> result = absl::NotFoundError("");
    if (race.Below(6) != 0) result = ledger.Issue();
    if (kShared && race.Below(2) == 0) {
      co_await Try(RunBlocking([&] { promise.Set(std::move(result)); }));
    } else {
      promise.Set(std::move(result));
    }
    co_return absl::OkStatus();
  };
  auto getter = [&](F<Receipt> future) -> Task<absl::Status> {
    while (true) {
      absl::StatusOr<Receipt> result = co_await race.Interrupted(future.Get());
      if (result.ok()) {
        ledger.Accept(*std::move(result));
        co_return absl::OkStatus();
      }
      if (absl::IsAborted(result.status()) || absl::IsNotFound(result.status())) {
        ++failed;
        co_return absl::OkStatus();
      }
      co_await Try(Uninterrupted(result.status()));
      if (race.Below(4) == 0) {
        ++given_up;
        co_return absl::OkStatus();
      }
      co_await Try(LetTimePass());
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kFutures; ++i) {
      P<Receipt> promise;
      group.Spawn(getter(promise.GetFuture()));
      group.Spawn(setter(std::move(promise)));
    }
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_await Try(Expect(ledger.outstanding() == 0, "a value was lost or came twice"));
  co_await Try(Expect(ledger.dropped() <= given_up, "a value that somebody waited for was dropped"));
  co_return Expect(ledger.accepted() + failed + given_up == kFutures, "a future got nothing");
}

Task<absl::Status> Futures(Race& race) { return FutureRace<Promise, Future>(race); }
Task<absl::Status> SharedFutures(Race& race) { return FutureRace<SharedPromise, SharedFuture>(race); }

// Each receiver gets every value in order, or is told how many it missed.
Task<absl::Status> Broadcasts(Race& race) {
  constexpr int kValues = 20;
  Broadcast<int> broadcast(race.UpTo(4));
  int sent = 0;
  auto receive = [&]() -> Task<absl::Status> {
    Broadcast<int>::Receiver receiver(broadcast);
    for (int next = sent;;) {
      absl::StatusOr<std::optional<int>> value = co_await race.Interrupted(receiver.Receive());
      if (absl::IsDataLoss(value.status())) {
        next += atoi(value.status().message().data() + sizeof("receive:"));
      } else if (!value.ok()) {
        co_await Try(Uninterrupted(value.status()));
        co_await Try(LetTimePass());
      } else if (value->has_value()) {
        co_await Try(Expect(**value == next++, "a value came twice, or was missed in silence"));
        if (race.Below(3) == 0) co_await Try(Sleep(race.Moment()));
      } else {
        co_return Expect(next == kValues, "the end came before the last value");
      }
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) group.Spawn(receive());
    while (sent < kValues) {
      broadcast.Send(sent++);
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
    }
    broadcast.Close();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

// Each observer sees newer and newer values, and in the end the last.
Task<absl::Status> Watches(Race& race) {
  constexpr int kLast = 12;
  Watch<int> watch(0);
  auto observe = [&]() -> Task<absl::Status> {
    Watch<int>::Observer observer(watch);
    for (int seen = -1;;) {
      absl::StatusOr<std::optional<int>> value = co_await race.Interrupted(observer.Changed());
      if (!value.ok()) {
        co_await Try(Uninterrupted(value.status()));
        co_await Try(LetTimePass());
      } else if (value->has_value()) {
        co_await Try(Expect(**value > std::exchange(seen, **value), "a value was seen twice"));
        if (race.Below(3) == 0) co_await Try(Sleep(race.Moment()));
      } else {
        co_return Expect(seen == kLast, "the last value was not seen");
      }
    }
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) group.Spawn(observe());
    for (int i = 1; i <= kLast; ++i) {
      if (race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
      watch.Set(i);
    }
    watch.Close();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

// Two channels, and permits of which some want one or two, whichever is there first.
struct Offers {
  explicit Offers(Race& race)
      : race(race), left(static_cast<size_t>(race.Below(2))), right(static_cast<size_t>(race.Below(2))) {}

  // Each value is offered to both sides, and taken by one.
  Task<absl::Status> Send(int first, int count) {
    for (int i = first; i < first + count;) {
      Token to_left = std::make_unique<int>(i);
      Token to_right = std::make_unique<int>(i);
      auto sent = co_await race.Interrupted(Select(left.Send(std::move(to_left)), right.Send(std::move(to_right))));
      co_await Try(Uninterrupted(sent.status()));
      bool took_left = sent.ok() && sent->index() == 0;
      bool took_right = sent.ok() && sent->index() == 1;
      co_await Try(Expect((to_left == nullptr) == took_left && (to_right == nullptr) == took_right,
                          "a send and its result do not agree"));
      i += sent.ok();
      if (!sent.ok() || race.Below(2) == 0) co_await Try(Sleep(race.Moment()));
    }
    co_return absl::OkStatus();
  }

  Task<absl::Status> Receive() {
    bool left_open = true, right_open = true;
    while (left_open || right_open) {
      auto taken = co_await race.Interrupted(Select(permits.Acquire(2), OnlyIf(left_open, left.Receive()),
                                                    permits.Acquire(1), OnlyIf(right_open, right.Receive())));
      co_await Try(Uninterrupted(taken.status()));
      if (!taken.ok()) {
        co_await Try(LetTimePass());
      } else if (auto* from_left = std::get_if<1>(&*taken)) {
        co_await Try(Take(*from_left, left_open));
      } else if (auto* from_right = std::get_if<3>(&*taken)) {
        co_await Try(Take(*from_right, right_open));
      } else {
        co_await Try(Sleep(race.Moment()));  // And then gives its permits back.
      }
    }
    co_return absl::OkStatus();
  }

  absl::Status Take(const std::optional<Token>& token, bool& open) {
    open = token.has_value();
    return Expect(!open || received.insert(**token).second, "a value was received twice");
  }

  Race& race;
  Channel<Token> left, right;
  Semaphore permits{2};
  std::set<int> received;
};

// What was chosen has happened, and nothing else has.
Task<absl::Status> Selects(Race& race) {
  constexpr int kSenders = 2, kEach = 4;
  Offers offers(race);
  auto send = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kSenders; ++i) group.Spawn(offers.Send(i * kEach, kEach));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < 2; ++i) group.Spawn(offers.Receive());
    co_await Try(WithTaskGroup(send));
    offers.left.Close();
    co_await Try(Sleep(race.Moment()));
    offers.right.Close();
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_await Try(Expect(offers.permits.available() == 2, "a permit was lost"));
  co_return Expect(offers.received.size() == kSenders * kEach, "a value was lost");
}

constexpr Scenario kScenarios[] = {
    {"Channels", &Channels},           {"SharedChannels", &SharedChannels}, {"Futures", &Futures},
    {"SharedFutures", &SharedFutures}, {"Broadcasts", &Broadcasts},         {"Watches", &Watches},
    {"Selects", &Selects}};

}  // namespace

std::span<const Scenario> ValueScenarios() { return kScenarios; }

}  // namespace proactor
