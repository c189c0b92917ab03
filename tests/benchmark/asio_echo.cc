// SPDX-License-Identifier: Apache-2.0

// Asio's server for the benchmark: callbacks, as its own examples are written, on one thread, with the yardsticks'
// buffer of 64 KiB for each connection.
//
// Usage: asio_echo --listen=127.0.0.1:0
// It prints `listening on 127.0.0.1:PORT`, and ends cleanly on SIGTERM or SIGINT.

#include <array>
#include <asio.hpp>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace proactor::benchmark {
namespace {

using asio::ip::tcp;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(tcp::socket socket) : socket_(std::move(socket)) { socket_.set_option(tcp::no_delay(true)); }

  void Receive() {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](asio::error_code error, size_t size) {
      if (!error) self->Send(size);
    });
  }

 private:
  void Send(size_t size) {
    asio::async_write(socket_, asio::buffer(buffer_, size),
                      [self = shared_from_this()](asio::error_code error, size_t) {
                        if (!error) self->Receive();
                      });
  }

  tcp::socket socket_;
  std::array<char, 65536> buffer_;
};

void AcceptFrom(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](asio::error_code error, tcp::socket socket) {
    if (!error) std::make_shared<Connection>(std::move(socket))->Receive();
    AcceptFrom(acceptor);
  });
}

std::optional<tcp::endpoint> ParseArguments(int count, char** arguments) {
  constexpr std::string_view kFlag = "--listen=";
  if (count != 2 || !std::string_view(arguments[1]).starts_with(kFlag)) return std::nullopt;
  const std::string_view text = std::string_view(arguments[1]).substr(kFlag.size());
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  asio::error_code error;
  const asio::ip::address host = asio::ip::make_address(std::string(text.substr(0, colon)), error);
  uint16_t port = 0;
  const auto [end, not_a_port] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (error || not_a_port != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return tcp::endpoint(host, port);
}

void Serve(const tcp::endpoint& endpoint) {
  asio::io_context context(1);  // one thread, which Asio may use to leave out what several need
  tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind(endpoint);
  acceptor.listen(1024);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&context](asio::error_code, int) { context.stop(); });
  AcceptFrom(acceptor);
  const tcp::endpoint local = acceptor.local_endpoint();
  std::printf("listening on %s:%d\n", local.address().to_string().c_str(), local.port());
  std::fflush(stdout);
  context.run();
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  const auto endpoint = proactor::benchmark::ParseArguments(count, arguments);
  if (!endpoint.has_value()) {
    std::fprintf(stderr, "usage: asio_echo --listen=127.0.0.1:0\n");
    return 2;
  }
  proactor::benchmark::Serve(*endpoint);  // what fails in here ends the program with Asio's exception
  return 0;
}
