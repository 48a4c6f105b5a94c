// vimg: the verbs that need no mount.
#include <iostream>

#include "cli/vimg.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return int(vimg::run_vimg(arguments, {std::cout, std::cerr}));
}
