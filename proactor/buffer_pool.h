// SPDX-License-Identifier: Apache-2.0
//
// BufferPool: memory that many connections receive into. One that waits holds none of it, but for a few busy ones.
//
//   BufferPool pool({.most_bytes = 16 << 20});                   // before the group of those who use it
//   Buffer chunk = co_await Try(stream.Receive(pool));           // on loan (buffer.h)
//   std::cerr << pool.Dump();                                    // who has what, and for how long
//
// Sizes: there are buffers of `smallest` bytes, of four times as many, and so on up to `largest`. Each stream begins
//   with the smallest. It goes one size up when what had come filled a buffer two times in a row, and one down when it
//   would have fitted into half a buffer of the size below 64 times in a row (operation/receive.h).
// Growth: no memory is taken before it is needed. A size that has run out is doubled, as long as all together stay
//   within `most_bytes`; then receives take what another size has. What has been taken once is kept until the end.
// When there is none: who receives waits in a line, and each buffer that is given back is for the first one. Nobody who
//   comes later overtakes, whatever way the bytes take: the n-th in the line waits for at most n buffers. No timer is
//   involved.
// Busy streams: where what is asked for has mostly come already, io_uring is asked for it each time, into a buffer that
//   the receive holds while it waits, and nothing is read ahead. There are 64 of these streams at most, with an eighth
//   of `most_bytes`; those that have become idle make room for others (operation/receive.h).
// Reading ahead: io_uring receives while a coroutine does something else, until what waits to be asked for takes
//   `most_unread` bytes of memory, or a quarter of what the pool has left, and a few buffers that the kernel had begun
//   with; the rest stays with the kernel, and so with the peer. One buffer of each size is not read ahead into. Before
//   Linux 6.8 the kernel may go on for as long as something comes, into all that it has of this size: as many as
//   there are streams that receive into it, or eight, or half a mebibyte of them.
//
// A pool belongs to the scheduler whose tasks receive with it, which is found out by the first of them. It outlives the
// streams' receives, not necessarily the streams. A buffer that is still on loan at its end is a leak: who took it is
// logged, and it stays valid until it is dropped.
//
// Threads: the scheduler's. Buffers may be dropped on any thread: they come back by the scheduler's remote queue.
#ifndef PROACTOR_BUFFER_POOL_H_
#define PROACTOR_BUFFER_POOL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

#include "proactor/buffer.h"
#include "proactor/buffer_store.h"

namespace proactor {

class BufferPool {
 public:
  explicit BufferPool(BufferPoolOptions options = {});
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  BufferPoolUsage usage() const { return store_->usage(); }

  // A line for each buffer on loan: its size, which coroutine took it, where, and how long ago.
  std::string Dump() const { return store_->Dump(); }

  // For operations.
  const std::shared_ptr<internal::BufferStore>& store() const { return store_; }

 private:
  std::shared_ptr<internal::BufferStore> store_;
};

}  // namespace proactor

#endif  // PROACTOR_BUFFER_POOL_H_
