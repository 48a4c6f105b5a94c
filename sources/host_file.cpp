#include "sources/host_file.h"
