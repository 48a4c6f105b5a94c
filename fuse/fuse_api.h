// libfuse3's low-level API, at the one version that this project speaks.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
