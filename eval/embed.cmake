# embed.cmake: writes files as one table of C, struct sr_report_asset of eval/report_asset.h; run at build time:
#
#   cmake -P embed.cmake OUT.c NAME=FILE ...
#
# Bytes are written as numbers, which every compiler reads in any amount; string literals and .incbin have limits.
# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.20)

set(arrays)
set(rows)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE 4 ${last})
  string(REGEX MATCH "^([^=]+)=(.+)$" unused "${CMAKE_ARGV${i}}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char asset_${i}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)asset_${i}, sizeof asset_${i} - 1},\n")
endforeach()
file(WRITE "${CMAKE_ARGV3}" "/* Made by eval/embed.cmake; not to be edited. */
#include \"eval/report_asset.h\"

${arrays}
const struct sr_report_asset sr_report_assets[] = {
${rows}    {NULL, NULL, 0},
};
")
