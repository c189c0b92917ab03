// SPDX-License-Identifier: Apache-2.0

// What the yardsticks have in common: all that happens before the loop, and none of it in the loop.
//
//   int listener = ListenAs(count, arguments, SOCK_NONBLOCK);  // --listen=127.0.0.1:0
//   int signals = OpenSignals();
//   AnnounceListener(listener);  // listening on 127.0.0.1:PORT
//
// What fails ends the program, with a message.
#ifndef PROACTOR_TESTS_BENCHMARK_RAW_SERVER_H_
#define PROACTOR_TESTS_BENCHMARK_RAW_SERVER_H_

// The buffer of one connection: large enough that even 64 KiB are one receive.
enum { kBufferBytes = 65536 };

_Noreturn void Die(const char* what, int error);

// A socket that listens as the program's only argument says. `flags` are socket(2)'s: a ring wants it to block, or it
// would be told EAGAIN instead of waiting.
int ListenAs(int count, char** arguments, int flags);

// Readable once SIGTERM or SIGINT has been sent: no handler, and no moment at which one could be missed.
int OpenSignals(void);

// Says on standard output where it listens. From here on, clients may come.
void AnnounceListener(int listener);

void SetNoDelay(int descriptor);

#endif  // PROACTOR_TESTS_BENCHMARK_RAW_SERVER_H_
