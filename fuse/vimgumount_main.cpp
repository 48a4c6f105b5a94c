// vimgumount: unmounts what vimgmount mounted, and says whether all was written.
#include "fuse/umount.h"

int main(int count, char** arguments) { return vimg::run_vimgumount(count, arguments); }
