#include "tests/stress/operations.h"

#include <algorithm>
#include <stdexcept>

namespace vimg::stress {
namespace {

std::vector<const Operation*> all_operations() {
  std::vector<const Operation*> operations;
  for (const auto list : {tree_operations(), refused_operations(), data_operations(),
                          allocation_operations(), attribute_operations(), burst_operations()}) {
    for (const Operation& operation : list) {
      operations.push_back(&operation);
    }
  }
  return operations;
}

}  // namespace

std::vector<const Operation*> weighted_operations(const std::vector<std::string>& skipped) {
  auto operations = all_operations();
  for (const std::string& name : skipped) {
    if (std::erase_if(operations, [&](const Operation* it) { return it->name == name; }) == 0) {
      throw std::runtime_error("there is no operation called " + name);
    }
  }
  std::vector<const Operation*> weighted;
  for (const Operation* operation : operations) {
    weighted.insert(weighted.end(), operation->weight, operation);
  }
  return weighted;
}

}  // namespace vimg::stress
