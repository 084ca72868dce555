/* base.h: the door of the floor. Everything else in the tree may include this, and nothing below it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_BASE_H
#define SR_BASE_H

#include "nn/base/alloc.h"
#include "nn/base/atomic_file.h"
#include "nn/base/calibrator.h"
#include "nn/base/command.h"
#include "nn/base/cpu.h"
#include "nn/base/decimal.h"
#include "nn/base/ending.h"
#include "nn/base/error.h"
#include "nn/base/facts.h"
#include "nn/base/file.h"
#include "nn/base/json.h"
#include "nn/base/log.h"
#include "nn/base/option.h"
#include "nn/base/option_file.h"
#include "nn/base/path.h"
#include "nn/base/philox.h"
#include "nn/base/real.h"
#include "nn/base/rename_all.h"
#include "nn/base/route.h"
#include "nn/base/safetensors.h"
#include "nn/base/sha256.h"
#include "nn/base/staged.h"
#include "nn/base/stream.h"
#include "nn/base/temporary.h"
#include "nn/base/text_stream.h"
#include "nn/base/utf8.h"
#include "nn/base/vec.h"
#include "nn/base/words.h"

#endif
