// SPDX-License-Identifier: Apache-2.0
//
// NameRegisteredFile: has the entry of an operation name the registered file of its descriptor, if there is one, which
// the kernel need not look up (backend/registered_files.h).
//
//   op.Prepare(entry);
//   if (descriptor.multishot != nullptr) NameRegisteredFile(*descriptor.multishot, loop, entry);
//
// A stream that is used by another loop than that of its multishot may have a place in the io_uring of that one still,
// where its thread may take it away at any moment: here it is not even looked at.
//
// Threads: those of `loop`.
#ifndef PROACTOR_OPERATION_REGISTERED_FILE_H_
#define PROACTOR_OPERATION_REGISTERED_FILE_H_

struct io_uring_sqe;

namespace proactor {

class Multishot;
struct Loop;

void NameRegisteredFile(const Multishot& multishot, const Loop& loop, io_uring_sqe& entry);

}  // namespace proactor

#endif  // PROACTOR_OPERATION_REGISTERED_FILE_H_
