#include "formats/vmdk_check.h"

#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "formats/vmdk_extent_check.h"
#include "formats/vmdk_extents.h"
#include "formats/vmdk_image.h"

namespace vimg::vmdk {
namespace {

// The extents that have tables; a file that two lines name is looked at once.
void check_extents(const VmdkImage& image, OpenContext& context, Repair repair,
                   CheckReport& report) {
  ExtentFiles files(context);
  std::set<std::string> seen;
  for (const ExtentLine& line : image.descriptor.extents) {
    const bool is_sparse = line.type == "SPARSE" || line.type == "VMFSSPARSE";
    if (!is_sparse || line.access == ExtentLine::Access::none || !seen.insert(line.name).second) {
      continue;
    }
    within(in_quotes(line.name), [&] {
      const DiskPtr file = files.open(line.name);
      check_extent(read_sparse_layout(*file), file, in_quotes(line.name) + ": ", repair, report);
    });
  }
}

}  // namespace

CheckReport check_image(DiskPtr file, OpenContext& context, Repair repair) {
  const VmdkImage image = read_image(*file);
  CheckReport report;
  if (image.sparse) {
    check_extent(*image.sparse, file, "", repair, report);
  } else {
    check_extents(image, context, repair, report);
  }
  return report;
}

}  // namespace vimg::vmdk
