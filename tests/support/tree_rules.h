// SPDX-License-Identifier: Apache-2.0
//
// The rules of this repository that a program can keep, about files in relation to each other.
//
//   StemsHaveTests({{"net/tcp.cc", ...}}) == {"net/tcp.cc:1: no test; write tests/net/tcp_test.cc"}
#ifndef PROACTOR_TESTS_SUPPORT_TREE_RULES_H_
#define PROACTOR_TESTS_SUPPORT_TREE_RULES_H_

#include <map>
#include <span>
#include <string>

#include "tests/support/tidy_rules.h"

namespace proactor::tidy {

using Tree = std::map<std::string, std::string>;  // Path to text.

// Every file of the library has a test at the mirrored place.
Complaints StemsHaveTests(const Tree& tree);

// A test at a mirrored place is named after the file that it tests.
Complaints TestsHaveStems(const Tree& tree);

// Every source is named in the BUILD file of its package.
Complaints FilesAreInTargets(const Tree& tree);

// `folders`: those with a BUILD file. Each is seen by these rules.
Complaints PackagesAreSeen(const Tree& tree, std::span<const std::string> folders);

struct TreeRule {
  const char* name;
  Complaints (*complaints)(const Tree& tree);
};

// Those above that need nothing but the tree.
std::span<const TreeRule> TreeRules();

}  // namespace proactor::tidy

#endif  // PROACTOR_TESTS_SUPPORT_TREE_RULES_H_
