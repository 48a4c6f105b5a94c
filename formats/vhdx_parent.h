// VHDX parent locator: which image a differencing image lies on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "disk/disk.h"
#include "formats/driver.h"
#include "formats/vhdx_layout.h"
#include "formats/vhdx_metadata.h"

namespace vimg::vhdx {

struct ParentLocator {
  std::vector<std::string> linkages;  // data write GUIDs that the parent may have, in lower case
  std::vector<std::string> paths;     // with slashes; the relative one first; not empty

  // The name under which the parent is opened: see the .cpp for how it is chosen.
  std::string name(const OpenContext& context) const;
};

// `file` is the file that the locator of `layout`, which has one, is in.
// Throws Error(EUCLEAN, EOPNOTSUPP).
ParentLocator read_parent_locator(const Disk& file, const Layout& layout);

// Gives the GUID by which a child knows that its parent is what it was.
class LinkedDisk : public Disk {
 public:
  virtual const Guid& data_write_guid() const noexcept = 0;
};

// Opens the parent, and checks that it is the one that was meant and fits a disk of `layout`.
// Throws Error(EUCLEAN) when it is another one, and as OpenContext::open_image() does.
DiskPtr open_parent(const ParentLocator& locator, const Layout& layout, OpenContext& context);

}  // namespace vimg::vhdx
