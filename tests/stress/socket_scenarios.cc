// SPDX-License-Identifier: Apache-2.0
//
// accept, connect, recv, send, the two for lists, the halves of a stream, close: no byte and no connection is lost.
#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proactor/buffer_pool.h"
#include "proactor/errors.h"
#include "proactor/net/tcp.h"
#include "proactor/net/tcp_halves.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/stress/race.h"
#include "tests/stress/stream_pair.h"

namespace proactor {
namespace {

using Transfer = Task<absl::StatusOr<size_t>>;

// Reads once, into one buffer or into several.
template <class Reader>
Transfer ReadOnce(Race& race, Reader& stream, std::span<char> buffer) {
  co_return co_await race.Interrupted(stream.Read(buffer.first(race.UpTo(buffer.size()))));
}
Transfer ReadListOnce(Race& race, TcpStream& stream, std::span<char> buffer) {
  size_t first = race.UpTo(buffer.size() - 1);
  std::array<std::span<char>, 2> list = {buffer.first(first), buffer.subspan(first)};
  co_return co_await race.Interrupted(stream.Read(list));
}

// Writes once; yields how much of `rest` is gone, which after an interruption is what the failure says.
template <class Writer>
Transfer WriteOnce(Race& race, Writer& stream, std::string_view rest) {
  std::string_view piece = rest.substr(0, race.UpTo(500));
  absl::Status status = co_await race.Interrupted(stream.WriteAll(piece));
  if (!status.ok() && !Interruption(status)) co_return status;
  // One that never started has moved nothing.
  co_return status.ok() ? piece.size() : BytesTransferred(status).value_or(0);
}
Transfer WriteListOnce(Race& race, TcpStream& stream, std::string_view rest) {
  std::vector<std::string_view> list;
  size_t size = 0;
  for (size_t pieces = race.UpTo(20); list.size() < pieces && size < rest.size(); size += list.back().size()) {
    list.push_back(rest.substr(size, race.UpTo(50)));
  }
  absl::Status status = co_await race.Interrupted(stream.WriteAll(list));
  if (!status.ok() && !Interruption(status)) co_return status;
  co_return status.ok() ? size : BytesTransferred(status).value_or(0);
}

// Reads, some interrupted, until the end of the stream; whatever is not an interruption must be bytes.
template <class Reader>
Task<absl::StatusOr<std::string>> ReadInterrupted(Race& race, Reader& stream,
                                                  Transfer (*read)(Race&, Reader&, std::span<char>)) {
  std::string all;
  char buffer[64];
  while (true) {
    absl::StatusOr<size_t> n = co_await read(race, stream, std::span<char>(buffer));
    if (!n.ok() && !Interruption(n.status())) co_return n.status();
    if (!n.ok()) {
      co_await Try(LetTimePass());
      continue;
    }
    if (*n == 0) co_return all;
    all.append(buffer, *n);
  }
}

Task<absl::Status> Exchange(Race& race, decltype(&ReadOnce<TcpStream>) read, decltype(&WriteOnce<TcpStream>) write) {
  StreamPair connection = co_await Try(ConnectPair());
  const std::string sent = Pattern(2000);
  std::string received;
  auto writer = [&]() -> Task<absl::Status> {
    for (std::string_view rest = sent; !rest.empty();) {
      rest.remove_prefix(co_await Try(write(race, connection.client, rest)));
      co_await Try(Sleep(race.Moment()));
    }
    co_return connection.client.Shutdown(ShutdownHow::kWrite);
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(writer());
    received = co_await Try(ReadInterrupted(race, connection.server, read));
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(received == sent, "bytes were lost, repeated or mixed up");
}

Task<absl::Status> Streams(Race& race) { return Exchange(race, &ReadOnce<TcpStream>, &WriteOnce<TcpStream>); }
Task<absl::Status> StreamsOfLists(Race& race) { return Exchange(race, &ReadListOnce, &WriteListOnce); }

// Each half has an owner, and goes with it: the end of a stream is that of its writer.
Task<absl::Status> Halves(Race& race) {
  StreamPair connection = co_await Try(ConnectPair());
  const std::string sent = Pattern(1000);
  std::array<std::string, 2> received;
  auto write = [&](TcpWriteHalf half) -> Task<absl::Status> {
    for (std::string_view rest = sent; !rest.empty();) {
      rest.remove_prefix(co_await Try(WriteOnce(race, half, rest)));
      co_await Try(Sleep(race.Moment()));
    }
    co_return absl::OkStatus();
  };
  auto read = [&](TcpReadHalf half, std::string& all) -> Task<absl::Status> {
    all = co_await Try(ReadInterrupted(race, half, &ReadOnce<TcpReadHalf>));
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpHalves client = std::move(connection.client).Split();
    TcpHalves server = std::move(connection.server).Split();
    group.Spawn(write(std::move(client.writer)));
    group.Spawn(write(std::move(server.writer)));
    group.Spawn(read(std::move(client.reader), received[0]));
    group.Spawn(read(std::move(server.reader), received[1]));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(received[0] == sent && received[1] == sent, "bytes were lost, repeated or mixed up");
}

// Connects until it is served: an attempt that was interrupted leaves at most a connection that asks nothing.
Task<absl::Status> AskUntilServed(Race& race, SocketAddress address) {
  while (true) {
    absl::StatusOr<TcpStream> stream = co_await race.Interrupted(TcpStream::Connect(address));
    if (stream.ok()) {
      char byte;
      co_await Try(stream->WriteAll("?"));
      size_t n = co_await Try(stream->Read({&byte, 1}));
      co_return Expect(n == 1, "the server hung up without an answer");
    }
    if (!Interruption(stream.status())) co_return stream.status();
    co_await Try(LetTimePass());
  }
}

Task<absl::Status> Connections(Race& race) {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  constexpr int kConnections = 4;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < kConnections; ++i) group.Spawn(AskUntilServed(race, address));
    for (int served = 0; served < kConnections;) {
      absl::StatusOr<TcpStream> stream = co_await race.Interrupted(listener.Accept());
      if (!stream.ok() && !Interruption(stream.status())) co_return stream.status();
      if (!stream.ok()) {
        co_await Try(LetTimePass());
        continue;
      }
      char byte;
      absl::StatusOr<size_t> n = co_await stream->Read({&byte, 1});
      if (!n.ok() || *n == 0) continue;
      co_await Try(stream->WriteAll("!"));
      ++served;
    }
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

// Closed or not, it is not open afterwards, and the peer reads the end.
Task<absl::Status> Closes(Race& race) {
  StreamPair connection = co_await Try(ConnectPair());
  TcpStream& closed = race.Below(2) == 0 ? connection.client : connection.server;
  TcpStream& other = &closed == &connection.client ? connection.server : connection.client;
  absl::Status status = co_await race.Interrupted(closed.Close());
  if (!status.ok() && !Interruption(status)) co_return status;
  closed = TcpStream();
  char byte;
  size_t n = co_await Try(other.Read({&byte, 1}));
  co_return Expect(n == 0, "bytes out of nowhere");
}

// Closed while others read and write: they end, with what they have got or as cancelled, and then it is closed.
Task<absl::Status> ClosesInUse(Race& race) {
  BufferPool pool({.smallest = 64, .largest = 64, .most_bytes = 64 * race.UpTo(4)});
  StreamPair connection = co_await Try(ConnectPair());
  TcpStream& closed = connection.server;
  const std::string sent = Pattern(20000);
  const bool into_pool = race.Below(2) == 0;
  std::string received;
  auto ended = [](const absl::Status& status) {
    return absl::IsCancelled(status) || ErrnoOf(status) == EBADF ? absl::OkStatus() : status;
  };
  auto reader = [&]() -> Task<absl::Status> {
    char buffer[64];
    while (true) {
      if (into_pool) {
        absl::StatusOr<Buffer> chunk = co_await closed.Receive(pool);
        if (!chunk.ok()) co_return ended(chunk.status());
        received += chunk->view();
      } else {
        absl::StatusOr<size_t> n = co_await closed.Read(buffer);
        if (!n.ok()) co_return ended(n.status());
        received.append(buffer, *n);
      }
      co_await Try(Sleep(race.Moment()));
    }
  };
  auto writer = [&]() -> Task<absl::Status> {
    absl::Status status;
    while (status.ok()) status = co_await closed.WriteAll(sent);
    co_return ended(status);
  };
  auto peer = [&]() -> Task<absl::Status> {
    for (std::string_view rest = sent; !rest.empty(); rest.remove_prefix(100)) {
      absl::Status status = co_await connection.client.WriteAll(rest.substr(0, 100));
      if (!status.ok()) break;  // Nobody reads it any more.
      co_await Try(Sleep(race.Moment()));
    }
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(reader());
    group.Spawn(writer());
    group.Spawn(peer());
    co_await Try(Sleep(race.Moment()));
    absl::Status status = co_await race.Interrupted(closed.Close());
    if (Interruption(status)) status = co_await closed.Close();
    co_return status;
  };
  co_await Try(WithTaskGroup(body));
  co_return Expect(sent.starts_with(received), "bytes were lost, repeated or mixed up");
}

constexpr Scenario kScenarios[] = {{"Streams", &Streams}, {"StreamsOfLists", &StreamsOfLists},
                                   {"Halves", &Halves},   {"Connections", &Connections},
                                   {"Closes", &Closes},   {"ClosesInUse", &ClosesInUse}};

}  // namespace

std::span<const Scenario> SocketScenarios() { return kScenarios; }

}  // namespace proactor
