// NewHostFile: a host file in the making, which nobody sees before it is finished.
#pragma once

#include <string>

#include "disk/disk.h"
#include "sources/host_file.h"

namespace vimg {

enum class Existing { refuse, replace };

// An empty file that grows as it is written.  It has no name, so that nothing is left of it
// wherever the process ends before publish(); on file systems that know no such files it has a
// hidden one beside `path` that is removed with this object.
class NewHostFile {
 public:
  // With Existing::replace a file at `path` stays as it is until publish(), under the locks of who
  // writes it.  Throws Error(EEXIST) when there is one and it shall not be replaced or is no
  // regular file, Error(EBUSY) when another process uses it, else the host's errno.
  NewHostFile(const std::string& path, Existing existing, Locking locking);
  ~NewHostFile();
  NewHostFile(const NewHostFile&) = delete;
  NewHostFile& operator=(const NewHostFile&) = delete;

  // Its flush() does nothing: nothing has to survive of a file that is not published.
  const DiskPtr& disk() const noexcept { return disk_; }

  enum class Flush { yes, no };
  // Gives the file its name at once and completely.  With Flush::yes both are durable when this
  // returns.  Throws Error(EEXIST) when a file has appeared there in the meantime and shall not be
  // replaced.
  void publish(Flush flush);

 private:
  // False with errno set when it cannot, EEXIST when something is there.
  bool put_beside(const std::string& path) const;
  void put_over();

  const std::string path_;  // with links followed
  const Existing existing_;
  DiskPtr replaced_;  // null: there is none
  DiskPtr file_;
  DiskPtr disk_;           // file_ without its flush()
  int fd_ = -1;            // file_'s
  std::string temporary_;  // empty: the file has no name
};

}  // namespace vimg
