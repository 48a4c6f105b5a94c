// Escaping lies in disk/escape.h.
#pragma once

#include "disk/escape.h"
