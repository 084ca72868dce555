# report.cmake: the report page (report.html and what it names) and Chart.js become a table in the library of eval.
# A new file of the page is found by its name, report*.css, .js or .txt; report.html says where it goes.
# SPDX-License-Identifier: MIT

# Debian and Ubuntu put it there; elsewhere it is given.
find_file(SR_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js NO_DEFAULT_PATH
          DOC "Chart.js 3, minified, which the report page draws with")
if(NOT SR_CHART_JS OR NOT EXISTS "${SR_CHART_JS}")
  message(FATAL_ERROR "Chart.js 3 is not there (SR_CHART_JS is '${SR_CHART_JS}'): the report page draws with it. "
                      "Install the package libjs-chart.js (scripts/packages.sh build does), "
                      "or give the file: -DSR_CHART_JS=/path/to/chart.min.js")
endif()
file(READ "${SR_CHART_JS}" chart_head LIMIT 200)
if(NOT chart_head MATCHES "Chart\\.js v3\\.")
  message(FATAL_ERROR "${SR_CHART_JS} does not say that it is Chart.js 3, which the report page is written for; "
                      "give another file: -DSR_CHART_JS=/path/to/chart.min.js")
endif()

set(SR_ASSETS_C ${PROJECT_BINARY_DIR}/report_assets.c)
file(GLOB SR_ASSETS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/eval/report*.html ${PROJECT_SOURCE_DIR}/eval/report*.css
     ${PROJECT_SOURCE_DIR}/eval/report*.js ${PROJECT_SOURCE_DIR}/eval/report*.txt)
set(SR_NAMED_ASSETS chart.js=${SR_CHART_JS})
foreach(asset ${SR_ASSETS})
  get_filename_component(name ${asset} NAME)
  list(APPEND SR_NAMED_ASSETS ${name}=${asset})
endforeach()
add_custom_command(
  OUTPUT ${SR_ASSETS_C}
  COMMAND ${CMAKE_COMMAND} -P ${PROJECT_SOURCE_DIR}/eval/embed.cmake ${SR_ASSETS_C} ${SR_NAMED_ASSETS}
  DEPENDS ${PROJECT_SOURCE_DIR}/eval/embed.cmake ${SR_CHART_JS} ${SR_ASSETS}
  COMMENT "Embedding the report page"
  VERBATIM)
target_sources(sr_eval PRIVATE ${SR_ASSETS_C})
