// SPDX-License-Identifier: Apache-2.0
#include "tests/benchmark/raw_ring.h"

#include <stdalign.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

// Room for one submission from every connection of the largest cell: a full queue would cost a second enter in a pass.
enum { kSubmissionEntries = 2048, kCompletionEntries = 4096 };

struct io_uring ring;
alignas(8) char accept_marker;
alignas(8) char signal_marker;

static struct signalfd_siginfo signal_received;

void SetUpRing(void) {
  struct io_uring_params parameters = {.cq_entries = kCompletionEntries};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  int result = io_uring_queue_init_params(kSubmissionEntries, &ring, &parameters);
  if (result < 0) Die("io_uring_setup", -result);
  result = io_uring_register_ring_fd(&ring);
  if (result < 0) Die("register_ring_fd", -result);
}

void SubmitAccept(int listener) {
  struct io_uring_sqe* sqe = NextSubmission();
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data(sqe, &accept_marker);
}

void SubmitSignalRead(int signals) {
  struct io_uring_sqe* sqe = NextSubmission();
  io_uring_prep_read(sqe, signals, &signal_received, sizeof(signal_received), 0);
  io_uring_sqe_set_data(sqe, &signal_marker);
}
