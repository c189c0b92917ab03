// SPDX-License-Identifier: Apache-2.0
#include "proactor/buffer_pool.h"

namespace proactor {

BufferPool::BufferPool(BufferPoolOptions options) : store_(std::make_shared<internal::BufferStore>(options)) {}

BufferPool::~BufferPool() { store_->PoolEnds(store_); }

}  // namespace proactor
