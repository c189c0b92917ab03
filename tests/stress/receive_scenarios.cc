// SPDX-License-Identifier: Apache-2.0
//
// receive and its pool, and writing what was received: no byte and no buffer is lost.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proactor/buffer_pool.h"
#include "proactor/errors.h"
#include "proactor/net/tcp.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"
#include "tests/stress/stream_pair.h"

namespace proactor {
namespace {

// One of the ways to read, into a pool that other streams use too.
Task<absl::StatusOr<std::string>> ReceiveOnce(Race& race, TcpStream& stream, BufferPool& pool) {
  std::string bytes;
  switch (race.Below(3)) {
    case 0: {
      Buffer chunk = co_await Try(race.Interrupted(stream.Receive(pool)));
      bytes = chunk.view();
      // Some are kept for a while, so that the pool runs dry.
      if (race.Below(4) == 0) co_await Try(Sleep(race.Moment()));
      break;
    }
    case 1: {
      Buffers chunks = co_await Try(race.Interrupted(stream.ReceiveAll(pool)));
      for (std::string_view chunk : chunks) bytes += chunk;
      break;
    }
    default: {
      char buffer[40];
      size_t n = co_await Try(race.Interrupted(stream.Read({buffer, race.UpTo(sizeof(buffer))})));
      bytes.assign(buffer, n);
    }
  }
  co_return bytes;
}

Task<absl::Status> ReceiveInterrupted(Race& race, TcpStream& stream, BufferPool& pool, std::string_view sent) {
  std::string all;
  while (true) {
    absl::StatusOr<std::string> bytes = co_await ReceiveOnce(race, stream, pool);
    if (!bytes.ok() && !Interruption(bytes.status())) co_return bytes.status();
    if (!bytes.ok()) {
      co_await Try(LetTimePass());
      continue;
    }
    if (bytes->empty()) co_return Expect(all == sent, "bytes were lost, repeated or mixed up");
    all += *bytes;
  }
}

Task<absl::Status> WriteInPieces(Race& race, TcpStream& stream, std::string_view rest) {
  while (!rest.empty()) {
    std::string_view piece = rest.substr(0, race.UpTo(200));
    co_await Try(stream.WriteAll(piece));
    rest.remove_prefix(piece.size());
    co_await Try(Sleep(race.Moment()));
  }
  co_return stream.Shutdown(ShutdownHow::kWrite);
}

// As on a busy server: what is asked for has come already, and often.
Task<absl::Status> ReceiveWhatIsThere(StreamPair& connection, BufferPool& pool) {
  for (int i = 0; i < 16; ++i) {
    co_await Try(connection.client.WriteAll("x"));
    co_await Try(LetTimePass());
    co_await Try(connection.server.Receive(pool));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> ReceiveFrom(Race& race, std::vector<StreamPair>& connections, BufferPool& pool) {
  const std::string sent = Pattern(600);
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (StreamPair& connection : connections) {
      group.Spawn(WriteInPieces(race, connection.client, sent));
      group.Spawn(ReceiveInterrupted(race, connection.server, pool, sent));
    }
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  BufferPoolUsage usage = pool.usage();
  co_return Expect(usage.on_loan == 0 && usage.received == 0 && usage.held == 0 && usage.waiting == 0,
                   "a buffer did not come back");
}

// Several streams share less memory than they would like to have.
Task<absl::Status> Receives(Race& race) {
  BufferPool pool({.smallest = 64,
                   .largest = race.Below(2) == 0 ? size_t{64} : size_t{256},
                   .most_bytes = 256 * race.UpTo(4),
                   .most_unread = 64 * race.UpTo(10)});
  std::vector<StreamPair> connections;
  for (int i = 0; i < 3; ++i) connections.push_back(co_await Try(ConnectPair()));
  co_return co_await ReceiveFrom(race, connections, pool);
}

// From streams that have been busy, some of which may hold a buffer.
Task<absl::Status> BusyReceives(Race& race) {
  BufferPool pool({.smallest = 64,
                   .largest = race.Below(2) == 0 ? size_t{64} : size_t{256},
                   .most_bytes = 64 * 8 * race.UpTo(4),
                   .most_unread = 64 * race.UpTo(10)});
  std::vector<StreamPair> connections;
  for (int i = 0; i < 3; ++i) {
    connections.push_back(co_await Try(ConnectPair()));
    co_await Try(ReceiveWhatIsThere(connections.back(), pool));
  }
  co_return co_await ReceiveFrom(race, connections, pool);
}

// What has been written of these is dropped.
Buffers WithoutPrefix(Buffers buffers, size_t written) {
  Buffers rest;
  while (!buffers.empty()) {
    Buffer first = buffers.PopFront();
    size_t count = std::min(written, first.size());
    first.RemovePrefix(count);
    written -= count;
    rest.PushBack(std::move(first));
  }
  return rest;
}

// Received and written on without being copied; both are interrupted.
Task<absl::Status> Relay(Race& race, TcpStream& from, TcpStream& to, BufferPool& pool) {
  while (true) {
    absl::StatusOr<Buffers> chunks = co_await race.Interrupted(from.ReceiveAll(pool));
    if (!chunks.ok() && !Interruption(chunks.status())) co_return chunks.status();
    if (!chunks.ok()) {
      co_await Try(LetTimePass());
      continue;
    }
    if (chunks->empty()) co_return to.Shutdown(ShutdownHow::kWrite);
    while (!chunks->empty()) {
      absl::Status status = co_await race.Interrupted(to.WriteAll(*chunks));
      if (!status.ok() && !Interruption(status)) co_return status;
      size_t written = status.ok() ? chunks->bytes() : BytesTransferred(status).value_or(0);
      *chunks = WithoutPrefix(*std::move(chunks), written);
      if (!status.ok()) co_await Try(LetTimePass());
    }
  }
}

Task<absl::Status> Relays(Race& race) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64 * race.UpTo(8), .most_unread = 64 * race.UpTo(6)});
  StreamPair first = co_await Try(ConnectPair());
  StreamPair second = co_await Try(ConnectPair());
  const std::string sent = Pattern(1500);
  std::string received;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(WriteInPieces(race, first.client, sent));
    group.Spawn(Relay(race, first.server, second.client, pool));
    char buffer[100];
    while (size_t n = co_await Try(second.server.Read(buffer))) received.append(buffer, n);
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_await Try(Expect(received == sent, "bytes were lost, repeated or mixed up"));
  co_return Expect(pool.usage().on_loan == 0 && pool.usage().received == 0, "a buffer did not come back");
}

// Dropped at any moment, with or without something received: the peer reads an end of some kind, and buffers come back.
Task<absl::Status> DroppedReceives(Race& race) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64 * race.UpTo(16)});
  StreamPair connection = co_await Try(ConnectPair());
  if (race.Below(2) == 0) co_await Try(ReceiveWhatIsThere(connection, pool));
  auto write = [&]() -> Task<absl::Status> {
    for (int i = 0; i < 3; ++i) {
      absl::Status status = co_await connection.client.WriteAll("bytes");
      if (absl::IsUnavailable(status)) co_return absl::OkStatus();
      co_await Try(std::move(status));
      co_await Try(Sleep(race.Moment()));
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(write());
    size_t received = 0;  // All of it may come at once.
    for (int i = race.Below(3); i >= 0 && received < 3 * 5; --i) {
      absl::StatusOr<Buffer> chunk = co_await race.Interrupted(connection.server.Receive(pool));
      if (!chunk.ok() && !Interruption(chunk.status())) co_return chunk.status();
      if (chunk.ok()) received += chunk->size();
    }
    if (race.Below(2) == 0) {
      co_await Try(connection.server.Close());
    } else {
      connection.server = TcpStream();
    }
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  char byte;
  absl::StatusOr<size_t> n = co_await connection.client.Read({&byte, 1});
  bool ended = n.ok() ? *n == 0 : absl::IsUnavailable(n.status());
  co_await Try(Expect(ended, "bytes out of nowhere"));
  // What was dropped comes back when the kernel has done with it, which takes as long as a request to cancel does.
  for (int i = 0; i < 1'000'000 && pool.usage().received > 0; ++i) co_await Try(LetTimePass());
  BufferPoolUsage usage = pool.usage();
  co_return Expect(usage.on_loan == 0 && usage.received == 0 && usage.held == 0, "a buffer did not come back");
}

constexpr Scenario kScenarios[] = {{"Receives", &Receives},
                                   {"BusyReceives", &BusyReceives},
                                   {"DroppedReceives", &DroppedReceives},
                                   {"Relays", &Relays}};

}  // namespace

std::span<const Scenario> ReceiveScenarios() { return kScenarios; }

}  // namespace proactor
