// SPDX-License-Identifier: Apache-2.0
//
// A Probe in words: for people, for programs, and for health checks.
//
//   tools::Probe probe = tools::LookAround({});
//   std::cout << tools::ToText(probe);      // or ToJson
//   return tools::ExitStatus(probe);
#ifndef PROACTOR_TOOLS_PROBE_REPORT_H_
#define PROACTOR_TOOLS_PROBE_REPORT_H_

#include <string>
#include <vector>

#include "tools/probe.h"

namespace tools {

// What would make it better, each in a sentence; empty where nothing would.
std::vector<std::string> Remedies(const Probe& probe);

std::string ToText(const Probe& probe);
std::string ToJson(const Probe& probe);

// 0: operations go the way that was wanted. 1: through epoll, because io_uring is refused. 2: PROACTOR_BACKEND or
// PROACTOR_DISABLE is wrong. 3: nothing works.
int ExitStatus(const Probe& probe);

}  // namespace tools

#endif  // PROACTOR_TOOLS_PROBE_REPORT_H_
