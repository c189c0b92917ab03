// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/comparison.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/benchmark/churn_load.h"
#include "tests/benchmark/echo_load.h"
#include "tests/benchmark/load.h"
#include "tests/benchmark/processor.h"
#include "tests/benchmark/user_time_sampler.h"

namespace proactor::benchmark {
namespace {

// After its last echo, a server still has to notice that there is nothing left to do. Its clock is exact once it
// sleeps, and it needs microseconds for that.
constexpr absl::Duration kTimeToSettle = absl::Milliseconds(1);

// Memory that is touched for the first time, sizes of buffers, windows of TCP: a few messages for each of 1,000
// connections, however large.
constexpr absl::Duration kWarmUp = absl::Milliseconds(300);

struct Window {
  Traffic traffic;
  absl::Duration server_cpu;

  double CpuMicroseconds() const {
    return absl::ToDoubleMicroseconds(server_cpu) / static_cast<double>(traffic.messages);
  }
  double MessagesPerSecond() const {
    return static_cast<double>(traffic.messages) / absl::ToDoubleSeconds(traffic.elapsed);
  }
};

// What was measured of one server.
struct Tally {
  std::string name;
  std::vector<Window> windows = {};  // one for each round
  int64_t user_samples = 0;
  int64_t user_messages = 0;

  // What one process of it did.
  void Add(const Tally& process) {
    name = process.name;
    windows.insert(windows.end(), process.windows.begin(), process.windows.end());
    user_samples += process.user_samples;
    user_messages += process.user_messages;
  }
};

// One process of a server, and its client's end.
struct Contestant {
  ServerProcess server;
  std::unique_ptr<Load> load;
  Tally tally;

  absl::StatusOr<Window> Measure(absl::Duration duration) {
    absl::SleepFor(kTimeToSettle);
    const absl::Duration before = server.Cpu();
    absl::StatusOr<Traffic> traffic = load->Run(duration);
    if (!traffic.ok()) {
      return absl::Status(traffic.status().code(), absl::StrCat(tally.name, ": ", traffic.status().message()));
    }
    absl::SleepFor(kTimeToSettle);
    return Window{.traffic = *traffic, .server_cpu = server.Cpu() - before};
  }
};

absl::StatusOr<std::unique_ptr<Load>> MakeLoad(const Cell& cell, const sockaddr_in& server, const Method& method) {
  if (cell.churns) return std::make_unique<ChurnLoad>(server, cell);
  // With one connection, waking the client on another processor would be most of what is measured.
  const bool polls_busily = cell.connections == 1 && method.client_processor != method.server_processor;
  return EchoLoad::Connect(server, cell, polls_busily);
}

absl::StatusOr<std::vector<Contestant>> Assemble(const Cell& cell, std::vector<ServerCommand> commands,
                                                 const Method& method) {
  commands.push_back({.name = absl::StrCat(commands.front().name, ", null test"), .command = commands.front().command});
  std::vector<Contestant> contestants;
  for (const ServerCommand& command : commands) {
    absl::StatusOr<ServerProcess> server = ServerProcess::Start(command, method.server_processor);
    if (!server.ok()) return server.status();
    absl::StatusOr<std::unique_ptr<Load>> load = MakeLoad(cell, server->address(), method);
    if (!load.ok()) return load.status();
    contestants.push_back({.server = *std::move(server), .load = *std::move(load), .tally = {.name = command.name}});
    if (absl::StatusOr<Window> unused = contestants.back().Measure(kWarmUp); !unused.ok()) return unused.status();
  }
  return contestants;
}

absl::Status PlayRounds(std::vector<Contestant>& contestants, int rounds, const Method& method) {
  std::vector<Contestant*> order;
  for (Contestant& contestant : contestants) order.push_back(&contestant);
  for (int round = 0; round < rounds; ++round) {
    for (Contestant* contestant : order) {
      absl::StatusOr<Window> window = contestant->Measure(method.window);
      if (!window.ok()) return window.status();
      contestant->tally.windows.push_back(*window);
    }
    std::reverse(order.begin(), order.end());
  }
  return absl::OkStatus();
}

// Not being able to sample is a property of the machine, and goes to `availability`; the rest of the result stands.
absl::Status SampleUserTime(std::vector<Contestant>& contestants, const Method& method, absl::Status& availability) {
  if (method.user_time <= absl::ZeroDuration()) availability = absl::FailedPreconditionError("--user_time is 0");
  const int rounds =
      static_cast<int>(std::ceil(absl::FDivDuration(method.user_time, method.window * method.processes)));
  for (int round = 0; round < rounds; ++round) {
    for (Contestant& contestant : contestants) {
      absl::StatusOr<UserTimeSampler> sampler = UserTimeSampler::Attach(contestant.server.id());
      availability.Update(sampler.status());
      if (!availability.ok()) return absl::OkStatus();
      sampler->Resume();
      absl::StatusOr<Window> window = contestant.Measure(method.window);
      sampler->Pause();
      if (!window.ok()) return window.status();
      absl::StatusOr<int64_t> samples = sampler->Samples();
      availability.Update(samples.status());
      if (!availability.ok()) return absl::OkStatus();
      contestant.tally.user_samples += *samples;
      contestant.tally.user_messages += window->traffic.messages;
    }
  }
  return absl::OkStatus();
}

// `figure(window of this server, window of the first server in the same round)`, over all rounds.
template <typename Figure>
Quartiles Over(const Tally& tally, const Tally& first, Figure figure) {
  std::vector<double> samples;
  for (size_t round = 0; round < tally.windows.size(); ++round) {
    samples.push_back(figure(tally.windows[round], first.windows[round]));
  }
  return QuartilesOf(std::move(samples));
}

ServerResult Summarize(const Tally& tally, const Tally& first) {
  const auto over = [&](auto figure) { return Over(tally, first, figure); };
  std::vector<double> cpu_microseconds;
  for (const Window& window : tally.windows) cpu_microseconds.push_back(window.CpuMicroseconds());
  const double microseconds_per_sample = absl::ToDoubleMicroseconds(UserTimeSampler::kPeriod) /
                                         static_cast<double>(std::max<int64_t>(tally.user_messages, 1));
  const double samples = static_cast<double>(tally.user_samples);
  return {
      .name = tally.name,
      .cpu_microseconds = std::move(cpu_microseconds),
      .messages_per_second = over([](const Window& own, const Window&) { return own.MessagesPerSecond(); }),
      .throughput_ratio = over(
          [](const Window& own, const Window& first) { return own.MessagesPerSecond() / first.MessagesPerSecond(); }),
      .server_cpu_share = over(
          [](const Window& own, const Window&) { return absl::FDivDuration(own.server_cpu, own.traffic.elapsed); }),
      .client_cpu_share = over([](const Window& own, const Window&) {
        return absl::FDivDuration(own.traffic.client_cpu, own.traffic.elapsed);
      }),
      .user_microseconds = samples * microseconds_per_sample,
      .user_microseconds_deviation = std::sqrt(samples) * microseconds_per_sample,
  };
}

}  // namespace

Quartiles CpuRatio(const ServerResult& server, const ServerResult& reference) {
  std::vector<double> ratios;
  for (size_t round = 0; round < server.cpu_microseconds.size(); ++round) {
    ratios.push_back(server.cpu_microseconds[round] / reference.cpu_microseconds[round]);
  }
  return QuartilesOf(std::move(ratios));
}

absl::StatusOr<CellResult> Compare(const Cell& cell, const std::vector<ServerCommand>& servers, const Method& method) {
  TakeProcessor(method.client_processor);
  CellResult result = {.cell = cell, .servers = {}, .user_time_status = absl::OkStatus()};
  std::vector<Tally> tallies;
  for (int process = 0; process < method.processes; ++process) {
    const int rounds = method.rounds * (process + 1) / method.processes - method.rounds * process / method.processes;
    absl::StatusOr<std::vector<Contestant>> contestants = Assemble(cell, servers, method);
    if (!contestants.ok()) return contestants.status();
    absl::Status status = PlayRounds(*contestants, rounds, method);
    if (status.ok()) status = SampleUserTime(*contestants, method, result.user_time_status);
    if (!status.ok()) return status;
    tallies.resize(contestants->size());
    for (size_t i = 0; i < tallies.size(); ++i) {
      Contestant& contestant = (*contestants)[i];
      tallies[i].Add(contestant.tally);
      contestant.load.reset();
      if (absl::Status status = contestant.server.Stop(); !status.ok()) {
        return absl::Status(status.code(), absl::StrCat(contestant.tally.name, " ", status.message()));
      }
    }
  }
  for (const Tally& tally : tallies) result.servers.push_back(Summarize(tally, tallies.front()));
  return result;
}

}  // namespace proactor::benchmark
