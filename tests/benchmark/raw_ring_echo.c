// SPDX-License-Identifier: Apache-2.0

// The yardstick: the fastest echo server that one single-shot receive and one send per message allow, written by hand
// on liburing. Others are measured against it, so it does nothing that an echo does not need:
//
//   - one enter per pass, which submits what the pass before it prepared and waits for the next completions;
//   - the ring of raw_ring.h;
//   - one connection is one allocation, and its address is its user_data: no table, no lookup.
//
// A receive that says in advance that it expects an empty socket (POLL_FIRST) was tried, and gained nothing.
//
// Usage: raw_ring_echo --listen=127.0.0.1:0
// It prints `listening on 127.0.0.1:PORT`, and ends cleanly on SIGTERM or SIGINT.

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/benchmark/raw_ring.h"

// What a connection waits for. It is only ever one of the two, because there is only one buffer.
enum Direction { kReceiving, kSending };

struct Connection {
  int descriptor;
  enum Direction direction;
  uint32_t sent;      // of `received`, while sending
  uint32_t received;  // what the last receive brought
  char buffer[kBufferBytes];
};

static void SubmitReceive(struct Connection* connection) {
  struct io_uring_sqe* sqe = NextSubmission();
  io_uring_prep_recv(sqe, connection->descriptor, connection->buffer, kBufferBytes, 0);
  io_uring_sqe_set_data(sqe, connection);
  connection->direction = kReceiving;
}

static void SubmitSend(struct Connection* connection) {
  struct io_uring_sqe* sqe = NextSubmission();
  io_uring_prep_send(sqe, connection->descriptor, connection->buffer + connection->sent,
                     connection->received - connection->sent, MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data(sqe, connection);
  connection->direction = kSending;
}

static void Open(int descriptor) {
  struct Connection* connection = malloc(sizeof(*connection));
  if (connection == NULL) Die("malloc", ENOMEM);
  SetNoDelay(descriptor);
  connection->descriptor = descriptor;
  SubmitReceive(connection);
}

static void Close(struct Connection* connection) {
  close(connection->descriptor);
  free(connection);
}

// The operation of `connection` ended with `result`: prepare its next one.
static void Advance(struct Connection* connection, int result) {
  if (result <= 0) {
    Close(connection);
  } else if (connection->direction == kReceiving) {
    connection->received = (uint32_t)result;
    connection->sent = 0;
    SubmitSend(connection);
  } else {
    connection->sent += (uint32_t)result;
    if (connection->sent < connection->received) {
      SubmitSend(connection);
    } else {
      SubmitReceive(connection);
    }
  }
}

static void Accepted(int listener, int result, uint32_t flags) {
  if (result >= 0) {
    Open(result);
  } else if (!IsOfConnection(result)) {
    Die("accept", -result);
  }
  if ((flags & IORING_CQE_F_MORE) == 0) SubmitAccept(listener);  // a multishot may end for no reason
}

static void Serve(int listener, int signals) {
  SubmitSignalRead(signals);
  SubmitAccept(listener);
  while (true) {
    SubmitAndWait();
    struct io_uring_cqe* cqe;
    unsigned head;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      void* subject = io_uring_cqe_get_data(cqe);
      ++seen;
      if (subject == &signal_marker) return;
      if (subject == &accept_marker) {
        Accepted(listener, cqe->res, cqe->flags);
      } else {
        Advance(subject, cqe->res);
      }
    }
    io_uring_cq_advance(&ring, seen);
  }
}

int main(int count, char** arguments) {
  int listener = ListenAs(count, arguments, 0);
  int signals = OpenSignals();
  SetUpRing();
  AnnounceListener(listener);
  Serve(listener, signals);
  io_uring_queue_exit(&ring);  // connections still open are closed by the end of the process
  return 0;
}
