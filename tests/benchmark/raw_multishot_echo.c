// SPDX-License-Identifier: Apache-2.0

// The other yardstick on liburing: receives are armed once for each connection, and the kernel takes a buffer of 64 KiB
// out of a ring of 256 when bytes have come. A connection goes on receiving while it sends, one buffer after the other.
// Everything else is as in raw_ring_echo.c.
//
// Usage: raw_multishot_echo --listen=127.0.0.1:0
// It prints `listening on 127.0.0.1:PORT`, and ends cleanly on SIGTERM or SIGINT.

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/benchmark/raw_ring.h"

enum { kBuffers = 256, kGroup = 0, kNone = kBuffers };

// Where what a completion is about is told by the low bits of its address.
enum Kind { kReceive = 0, kSend = 1, kKindMask = 1 };

struct Connection {
  int descriptor;
  bool armed;
  bool ended;
  uint16_t first, last;  // received and not sent, linked by `next_buffer`
  uint32_t sent;         // of the first
  struct Connection* next_starved;
};

static struct io_uring_buf_ring* buffer_ring;
static char* buffers;
static uint16_t next_buffer[kBuffers];
static uint32_t filled[kBuffers];
static struct Connection* starved;  // without a request, because there was no buffer

static void Arm(struct Connection* connection) {
  struct io_uring_sqe* sqe = NextSubmission();
  io_uring_prep_recv_multishot(sqe, connection->descriptor, NULL, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kGroup;
  sqe->user_data = (uintptr_t)connection | kReceive;
  connection->armed = true;
}

static void GiveBack(uint16_t buffer) {
  io_uring_buf_ring_add(buffer_ring, buffers + (size_t)buffer * kBufferBytes, kBufferBytes, buffer,
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffer_ring, 1);
  struct Connection* connection = starved;
  if (connection == NULL) return;
  starved = connection->next_starved;
  Arm(connection);
}

static void SubmitSend(struct Connection* connection) {
  struct io_uring_sqe* sqe = NextSubmission();
  uint16_t buffer = connection->first;
  io_uring_prep_send(sqe, connection->descriptor, buffers + (size_t)buffer * kBufferBytes + connection->sent,
                     filled[buffer] - connection->sent, MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = (uintptr_t)connection | kSend;
}

static void CloseIfOver(struct Connection* connection) {
  if (!connection->ended || connection->armed || connection->first != kNone) return;
  close(connection->descriptor);
  free(connection);
}

static void Received(struct Connection* connection, int result, uint32_t flags) {
  if ((flags & IORING_CQE_F_MORE) == 0) connection->armed = false;
  if (result > 0) {
    uint16_t buffer = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
    filled[buffer] = (uint32_t)result;
    next_buffer[buffer] = kNone;
    bool idle = connection->first == kNone;
    if (idle) {
      connection->first = buffer;
    } else {
      next_buffer[connection->last] = buffer;
    }
    connection->last = buffer;
    if (idle) SubmitSend(connection);
    if (!connection->armed) Arm(connection);
  } else if (result == -ENOBUFS) {
    connection->next_starved = starved;
    starved = connection;
  } else {
    connection->ended = true;
    CloseIfOver(connection);
  }
}

static void Sent(struct Connection* connection, int result) {
  uint16_t buffer = connection->first;
  if (result > 0) connection->sent += (uint32_t)result;
  if (result > 0 && connection->sent < filled[buffer]) {
    SubmitSend(connection);
    return;
  }
  connection->sent = 0;
  connection->first = next_buffer[buffer];
  GiveBack(buffer);
  if (connection->first != kNone) {
    SubmitSend(connection);
  } else {
    CloseIfOver(connection);
  }
}

static void Accepted(int listener, int result, uint32_t flags) {
  if (result >= 0) {
    struct Connection* connection = calloc(1, sizeof(*connection));
    if (connection == NULL) Die("calloc", ENOMEM);
    SetNoDelay(result);
    connection->descriptor = result;
    connection->first = kNone;
    Arm(connection);
  } else if (!IsOfConnection(result)) {
    Die("accept", -result);
  }
  if ((flags & IORING_CQE_F_MORE) == 0) SubmitAccept(listener);
}

static void SetUpBuffers(void) {
  buffers = malloc((size_t)kBuffers * kBufferBytes);
  void* memory = aligned_alloc(4096, 4096);
  if (buffers == NULL || memory == NULL) Die("malloc", ENOMEM);
  buffer_ring = memory;
  struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)memory, .ring_entries = kBuffers, .bgid = kGroup};
  int result = io_uring_register_buf_ring(&ring, &registration, 0);
  if (result < 0) Die("register_buf_ring", -result);
  io_uring_buf_ring_init(buffer_ring);
  for (uint16_t buffer = 0; buffer < kBuffers; ++buffer) GiveBack(buffer);
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
      enum Kind kind = (enum Kind)(cqe->user_data & kKindMask);
      void* subject = (void*)(uintptr_t)(cqe->user_data & ~(uint64_t)kKindMask);
      ++seen;
      if (subject == &signal_marker) return;
      if (subject == &accept_marker) {
        Accepted(listener, cqe->res, cqe->flags);
      } else if (kind == kReceive) {
        Received(subject, cqe->res, cqe->flags);
      } else {
        Sent(subject, cqe->res);
      }
    }
    io_uring_cq_advance(&ring, seen);
  }
}

int main(int count, char** arguments) {
  int listener = ListenAs(count, arguments, 0);
  int signals = OpenSignals();
  SetUpRing();
  SetUpBuffers();
  AnnounceListener(listener);
  Serve(listener, signals);
  io_uring_queue_exit(&ring);  // connections still open are closed by the end of the process
  return 0;
}
