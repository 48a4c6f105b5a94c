// LVM2: assembling volume groups from physical volumes.
#include "lvm/lvm.h"
