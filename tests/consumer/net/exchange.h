// SPDX-License-Identifier: Apache-2.0
//
// Of the service: sends a request and reads as many bytes in answer.
#ifndef CONSUMER_NET_EXCHANGE_H_
#define CONSUMER_NET_EXCHANGE_H_

#include <string>
#include <string_view>

#include "proactor/net/tcp.h"
#include "proactor/try.h"

inline proactor::Task<absl::StatusOr<std::string>> Exchange(proactor::TcpStream& stream, std::string_view request) {
  co_await proactor::Try(stream.WriteAll(request));
  std::string answer(request.size(), '\0');
  for (size_t size = 0; size < answer.size();) {
    size_t n = co_await proactor::Try(stream.Read(std::span(answer).subspan(size)));
    if (n == 0) co_return absl::OutOfRangeError("the answer ended early");
    size += n;
  }
  co_return answer;
}

#endif  // CONSUMER_NET_EXCHANGE_H_
