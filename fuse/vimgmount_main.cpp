// vimgmount: virtual machine images as trees of files.
#include "fuse/mount.h"

int main(int count, char** arguments) { return vimg::run_vimgmount(count, arguments); }
