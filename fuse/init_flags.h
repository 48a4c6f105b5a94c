// add_init_flags: what this mount can do and libfuse 3.14 has no word for, said to the kernel.
#pragma once

#include <sys/uio.h>

namespace vimg {

// Sets in an answer to INIT, as libfuse is about to write it, that SUID and SGID are dropped here
// when a file is written, truncated or given away.  Without it the kernel asks for the attribute
// security.capability before each write, and for all attributes at each change of owner.
// An answer that is an error stays.
void add_init_flags(const iovec* parts, int count) noexcept;

}  // namespace vimg
