// SPDX-License-Identifier: Apache-2.0

// The yardstick for epoll: the fastest echo server that one receive and one send per message allow, written by hand.
// Others are measured against it, so it does nothing that an echo does not need:
//
//   - one wait per pass, for all that is ready;
//   - no call that is expected to fail: level-triggered, so that what a receive left is an event of the next pass;
//   - epoll is told of a connection once, and again only when a send found the socket full;
//   - one connection is one allocation, and its address is its event's data: no table, no lookup.
//
// Edge-triggered, with a short receive as the sign that the socket is empty, was tried, and made no difference.
//
// Usage: raw_epoll_echo --listen=127.0.0.1:0
// It prints `listening on 127.0.0.1:PORT`, and ends cleanly on SIGTERM or SIGINT.

#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/benchmark/raw_server.h"

// Room for an event of every connection of the largest cell.
enum { kEvents = 1024 };

struct Connection {
  int descriptor;
  uint32_t sent;      // of `received`
  uint32_t received;  // what the last receive brought
  char buffer[kBufferBytes];
};

// The two events that are no connection's have the addresses of these as their data.
static char accept_marker;
static char signal_marker;

static int epoll;

static void Watch(int operation, int descriptor, uint32_t events, void* data) {
  struct epoll_event event = {.events = events, .data = {.ptr = data}};
  if (epoll_ctl(epoll, operation, descriptor, &event) < 0) Die("epoll_ctl", errno);
}

static void Open(int descriptor) {
  struct Connection* connection = malloc(sizeof(*connection));
  if (connection == NULL) Die("malloc", ENOMEM);
  SetNoDelay(descriptor);
  connection->descriptor = descriptor;
  connection->sent = connection->received = 0;
  Watch(EPOLL_CTL_ADD, descriptor, EPOLLIN, connection);
}

static void Close(struct Connection* connection) {
  close(connection->descriptor);
  free(connection);
}

static bool IsSending(const struct Connection* connection) { return connection->sent < connection->received; }

// False when the connection has ended.
static bool Send(struct Connection* connection) {
  ssize_t result = send(connection->descriptor, connection->buffer + connection->sent,
                        connection->received - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (result < 0) return errno == EAGAIN || errno == EINTR;
  connection->sent += (uint32_t)result;
  return true;
}

// `connection` is ready: for its pending send, or else for a new message. False when it has ended.
static bool Advance(struct Connection* connection) {
  bool was_full = IsSending(connection);
  if (!was_full) {
    ssize_t result = recv(connection->descriptor, connection->buffer, kBufferBytes, MSG_DONTWAIT);
    if (result <= 0) return result < 0 && (errno == EAGAIN || errno == EINTR);
    connection->received = (uint32_t)result;
    connection->sent = 0;
  }
  if (!Send(connection)) return false;
  bool is_full = IsSending(connection);
  if (is_full != was_full) {
    Watch(EPOLL_CTL_MOD, connection->descriptor, is_full ? EPOLLOUT : EPOLLIN, connection);
  }
  return true;
}

static void AcceptAll(int listener) {
  int descriptor;
  while ((descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) Open(descriptor);
  if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) Die("accept4", errno);
}

static void Serve(int listener, int signals) {
  Watch(EPOLL_CTL_ADD, signals, EPOLLIN, &signal_marker);
  Watch(EPOLL_CTL_ADD, listener, EPOLLIN, &accept_marker);
  while (true) {
    struct epoll_event events[kEvents];
    int count = epoll_wait(epoll, events, kEvents, -1);
    if (count < 0 && errno != EINTR) Die("epoll_wait", errno);
    for (int i = 0; i < count; ++i) {
      void* subject = events[i].data.ptr;
      if (subject == &signal_marker) return;
      if (subject == &accept_marker) {
        AcceptAll(listener);
      } else if (!Advance(subject)) {
        Close(subject);
      }
    }
  }
}

int main(int count, char** arguments) {
  int listener = ListenAs(count, arguments, SOCK_NONBLOCK);
  int signals = OpenSignals();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) Die("epoll_create1", errno);
  AnnounceListener(listener);
  Serve(listener, signals);
  return 0;  // connections still open are closed by the end of the process
}
