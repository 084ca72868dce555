/* train.h: the door of train: how a router learns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TRAIN_H
#define SR_TRAIN_H

#include "train/adamw.h"
#include "train/schedule.h"

#endif
