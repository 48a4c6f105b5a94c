// Small file systems that a crash left with a journal and orphans, made by debugfs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vimg::test {

// True when mke2fs, debugfs and e2fsck are installed; says so when they are not.
bool have_e2fsprogs();

// 4 MiB of ext4 with blocks of 1 KiB and the features `features` of mke2fs, the journal opened by
// debugfs with `journal_options` (-c = checksums).  Its log writes 'J' to blocks 3000 to 3002, then
// 'K' behind JBD2's magic to block 3001, then revokes block 3002.  Its orphans: /dead is to be
// deleted, /cut to be cut to 1500 bytes; /kept is none.
std::vector<std::byte> make_crash_image(const std::string& features,
                                        const std::string& journal_options);

// e2fsck -fn's exit code and words on `image`.
struct Verdict {
  int exit_code;
  std::string words;
};
Verdict check_with_e2fsck(const std::vector<std::byte>& image);

}  // namespace vimg::test
