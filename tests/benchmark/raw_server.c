// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "tests/benchmark/raw_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum { kBacklog = 1024 };

void Die(const char* what, int error) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(error));
  exit(1);
}

static struct sockaddr_in ParseArguments(int count, char** arguments) {
  static const char kFlag[] = "--listen=";
  struct sockaddr_in address = {.sin_family = AF_INET};
  char host[INET_ADDRSTRLEN];
  unsigned port;
  if (count != 2 || strncmp(arguments[1], kFlag, strlen(kFlag)) != 0 ||
      sscanf(arguments[1] + strlen(kFlag), "%15[0-9.]:%u", host, &port) != 2 || port > 65535 ||
      inet_pton(AF_INET, host, &address.sin_addr) != 1) {
    fprintf(stderr, "usage: %s --listen=127.0.0.1:0\n", program_invocation_short_name);
    exit(2);
  }
  address.sin_port = htons((uint16_t)port);
  return address;
}

int ListenAs(int count, char** arguments, int flags) {
  const int on = 1;
  struct sockaddr_in address = ParseArguments(count, arguments);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (listener < 0) Die("socket", errno);
  if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) Die("SO_REUSEADDR", errno);
  if (bind(listener, (struct sockaddr*)&address, sizeof(address)) < 0) Die("bind", errno);
  if (listen(listener, kBacklog) < 0) Die("listen", errno);
  return listener;
}

int OpenSignals(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) Die("sigprocmask", errno);
  int descriptor = signalfd(-1, &signals, SFD_CLOEXEC);
  if (descriptor < 0) Die("signalfd", errno);
  return descriptor;
}

void AnnounceListener(int listener) {
  struct sockaddr_in address;
  socklen_t length = sizeof(address);
  char host[INET_ADDRSTRLEN];
  if (getsockname(listener, (struct sockaddr*)&address, &length) < 0) Die("getsockname", errno);
  printf("listening on %s:%u\n", inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host)), ntohs(address.sin_port));
  fflush(stdout);
}

void SetNoDelay(int descriptor) {
  const int on = 1;
  if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) Die("TCP_NODELAY", errno);
}
