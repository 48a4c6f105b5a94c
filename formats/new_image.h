// NewImageFile: a new image of any format at a path of the host.
#pragma once

#include <memory>
#include <string>

#include "formats/driver.h"
#include "sources/new_host_file.h"

namespace vimg {

// Nothing is to be seen at the path before finish().  One thread, but for what it gives.
class NewImageFile {
 public:
  // As NewHostFile.
  NewImageFile(const std::string& path, const FormatDriver& format, Existing existing);

  // Makes the file an empty image.  Throws Error(EOPNOTSUPP) when the format cannot be made, or
  // as FormatDriver::create.
  void create(NewImage image);
  // The created image's disk, for writing.  `backing` is what its backing file reads as.
  DiskPtr open(DiskPtr backing);
  // As FormatDriver::stream.
  std::unique_ptr<ImageStream> stream(NewImage image);

  // Gives the file its name.  What open() and stream() gave is finished and gone.
  void finish(NewHostFile::Flush flush) { file_.publish(flush); }

 private:
  const std::string path_;
  const FormatDriver& format_;
  NewHostFile file_;
};

// What NAME, as an image at `path` names its backing file, is on the host.
std::string backing_path(const std::string& path, const std::string& name);

}  // namespace vimg
