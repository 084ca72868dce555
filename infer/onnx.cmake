# onnx.cmake: onnx.proto becomes C, in a library of its own that is compiled without our warnings.
# SPDX-License-Identifier: MIT

pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(SR_PROTOC_C protoc-c DOC "protobuf-c's compiler, which makes C of infer/onnx.proto")
if(NOT SR_PROTOC_C)
  message(FATAL_ERROR "protoc-c is not there: infer/onnx.proto is compiled with it. "
                      "Install the package protobuf-c-compiler (scripts/packages.sh build does)")
endif()

set(SR_ONNX_DIR ${PROJECT_BINARY_DIR}/onnx)
set(SR_ONNX_C ${SR_ONNX_DIR}/onnx.pb-c.c)
set(SR_ONNX_H ${SR_ONNX_DIR}/onnx.pb-c.h)
file(MAKE_DIRECTORY ${SR_ONNX_DIR})
add_custom_command(
  OUTPUT ${SR_ONNX_C} ${SR_ONNX_H}
  COMMAND ${SR_PROTOC_C} --proto_path=${PROJECT_SOURCE_DIR}/infer --c_out=${SR_ONNX_DIR} onnx.proto
  DEPENDS ${PROJECT_SOURCE_DIR}/infer/onnx.proto
  COMMENT "Compiling onnx.proto"
  VERBATIM)
add_library(sr_onnx_proto STATIC ${SR_ONNX_C} ${SR_ONNX_H})
target_include_directories(sr_onnx_proto SYSTEM PUBLIC ${SR_ONNX_DIR})
target_compile_options(sr_onnx_proto PRIVATE -w)
target_link_libraries(sr_onnx_proto PUBLIC PkgConfig::PROTOBUF_C)
