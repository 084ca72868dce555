# library.cmake: libsaferoute, shared and static, and what finds it: pkg-config, find_package.
#
# Both are made of the archives sr_infer and sr_base; of the floor the linker takes the files that are needed. The
# static one is a single object whose names are local but for those of saferoute.h, so that nothing of it can
# meet a name of the program it is linked to.
# SPDX-License-Identifier: MIT

set(SR_MAP ${CMAKE_CURRENT_BINARY_DIR}/saferoute.map)
configure_file(infer/saferoute.map.in ${SR_MAP} @ONLY)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/library.c "typedef int saferoute_library;\n") # CMake wants a source
add_library(saferoute_shared SHARED ${CMAKE_CURRENT_BINARY_DIR}/library.c)
set_target_properties(saferoute_shared PROPERTIES OUTPUT_NAME saferoute EXPORT_NAME saferoute VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${SR_MAP})
target_link_libraries(saferoute_shared PRIVATE -Wl,--whole-archive sr_infer -Wl,--no-whole-archive sr_base
  PkgConfig::JANSSON m)
target_link_options(saferoute_shared PRIVATE -Wl,--version-script=${SR_MAP} -Wl,--as-needed)
if(NOT SR_SANITIZE) # whose own functions are in the program
  target_link_options(saferoute_shared PRIVATE -Wl,--no-undefined)
endif()

set(SR_OBJECT ${CMAKE_CURRENT_BINARY_DIR}/saferoute_static.o)
add_custom_command(OUTPUT ${SR_OBJECT}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${SR_OBJECT} -Wl,--whole-archive $<TARGET_FILE:sr_infer>
          -Wl,--no-whole-archive $<TARGET_FILE:sr_base>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${SR_OBJECT}
  DEPENDS sr_infer sr_base VERBATIM COMMENT "Joining libsaferoute.a's object")
add_library(saferoute_static STATIC ${SR_OBJECT})
set_target_properties(saferoute_static PROPERTIES OUTPUT_NAME saferoute EXPORT_NAME saferoute_static LINKER_LANGUAGE C)

foreach(target saferoute_shared saferoute_static)
  target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/infer>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

set(SR_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/saferoute)
include(CMakePackageConfigHelpers)
configure_package_config_file(infer/saferoute-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/saferoute-config.cmake
                              INSTALL_DESTINATION ${SR_PACKAGE})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/saferoute-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
# From where the .pc file lies to the prefix, so that `cmake --install --prefix` and a moved folder are found.
file(RELATIVE_PATH SR_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  message(FATAL_ERROR "CMAKE_INSTALL_LIBDIR is ${CMAKE_INSTALL_LIBDIR}; give it relative to the prefix")
endif()
configure_file(infer/saferoute.pc.in ${CMAKE_CURRENT_BINARY_DIR}/saferoute.pc @ONLY)

install(TARGETS saferoute_shared saferoute_static EXPORT saferoute COMPONENT library)
install(EXPORT saferoute NAMESPACE saferoute:: FILE saferoute-targets.cmake DESTINATION ${SR_PACKAGE}
        COMPONENT library)
install(FILES infer/saferoute.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/saferoute-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/saferoute-config-version.cmake
        DESTINATION ${SR_PACKAGE} COMPONENT library)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/saferoute.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT library)
