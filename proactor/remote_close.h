// SPDX-License-Identifier: Apache-2.0
//
// CloseOn: closes a descriptor on another thread: there, where the kernel tells of it (`DescriptorWatcher`).
//
//   CloseOn(*multishot.home, descriptor);   // whose owner has gone
//
// It is closed in a later step of the loop, or when that ends.
//
// Threads: any.
#ifndef PROACTOR_REMOTE_CLOSE_H_
#define PROACTOR_REMOTE_CLOSE_H_

#include "proactor/context.h"
#include "proactor/descriptor.h"

namespace proactor {

void CloseOn(Loop& loop, Descriptor& descriptor);

}  // namespace proactor

#endif  // PROACTOR_REMOTE_CLOSE_H_
