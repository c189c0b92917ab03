// SPDX-License-Identifier: Apache-2.0

// What the yardsticks on liburing have in common: a ring that is as fast as there is, and what is asked of it once.
//
//   SetUpRing();
//   SubmitAccept(listener);
//   struct io_uring_sqe* sqe = NextSubmission();
//
//   - DEFER_TASKRUN, so that completions are produced inside the one enter of each pass, in a batch, and nobody is
//     interrupted;
//   - a registered ring descriptor, which saves looking it up on every enter.
//
// What fails ends the program, with a message.
#ifndef PROACTOR_TESTS_BENCHMARK_RAW_RING_H_
#define PROACTOR_TESTS_BENCHMARK_RAW_RING_H_

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/benchmark/raw_server.h"

extern struct io_uring ring;

// The two completions that are no connection's have the addresses of these as their user_data.
extern char accept_marker;
extern char signal_marker;

void SetUpRing(void);
// Connections, one completion each; again when a completion says that it was the last.
void SubmitAccept(int listener);
// Completes when a signal is to end the program.
void SubmitSignalRead(int signals);

// Whether an enter failed in a way that is to be expected.
static inline bool Passes(int result) { return result == -EINTR || result == -EAGAIN || result == -EBUSY; }

static inline struct io_uring_sqe* NextSubmission(void) {
  struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  while (sqe == NULL) {
    int submitted = io_uring_submit(&ring);
    if (submitted < 0 && !Passes(submitted)) Die("submit", -submitted);
    sqe = io_uring_get_sqe(&ring);
  }
  return sqe;
}

// One pass: hands over what was prepared, and waits for the next completions.
static inline void SubmitAndWait(void) {
  int result = io_uring_submit_and_wait(&ring, 1);
  if (result < 0 && !Passes(result)) Die("enter", -result);
}

// Whether a failed accept is that of one connection only.
static inline bool IsOfConnection(int result) {
  return result == -ECONNABORTED || result == -EINTR || result == -EAGAIN;
}

#endif  // PROACTOR_TESTS_BENCHMARK_RAW_RING_H_
