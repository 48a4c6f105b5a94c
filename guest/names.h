// Names of volumes: short, unique, and safe as file names.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace vimg {

struct VolumeName {
  std::string name;       // as short as is unique
  std::string full_name;  // says the disk, too
};

// Hands out the names of one guest's volumes; none is given twice.  A name that is taken gets "@2",
// "@3" …: LVM allows no '@' in its names, so that these cannot be taken already.
class VolumeNames {
 public:
  explicit VolumeNames(std::size_t image_count) : image_count_(image_count) {}

  VolumeName disk(std::size_t image);
  VolumeName partition(std::size_t image, unsigned number);
  // The directory of a volume group; its volumes are named with it afterwards.
  std::string group(std::string_view vg_name);
  VolumeName logical_volume(std::string_view group, std::string_view lv_name);

 private:
  std::string unique(const std::string& name);

  std::size_t image_count_;
  std::map<std::string, unsigned> claims_;  // how often a name was asked for
};

// `name` as one file name: bytes that LVM does not allow in a name become \xNN, as do the dots of
// "." and "..", and what is longer than any LVM name is cut.  Never empty, no '/' and no NUL.
std::string safe_file_name(std::string_view name);

}  // namespace vimg
