// SPDX-License-Identifier: Apache-2.0
#ifndef LIBURING_OF_THE_CONSUMER
#error "Included by something that does not depend on @liburing."
#endif
#include_next <liburing.h>
