#include "tests/stress/operations.h"

namespace vimg::stress {
namespace {

// Each operation as often as its weight says.
std::vector<const Operation*> weighted_operations() {
  std::vector<const Operation*> operations;
  for (const auto list : {tree_operations(), refused_operations(), data_operations(),
                          allocation_operations(), attribute_operations(), burst_operations()}) {
    for (const Operation& operation : list) {
      operations.insert(operations.end(), operation.weight, &operation);
    }
  }
  return operations;
}

}  // namespace

void run_random_operation(Worker& worker) {
  static const auto operations = weighted_operations();
  worker.random().pick(operations)->run(worker);
}

}  // namespace vimg::stress
