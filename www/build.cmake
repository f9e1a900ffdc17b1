# The layer www: the dashboard, bundled by node where it exists, as bytes in a static library.
#   WITH_WWW=AUTO  bundle when node and npm are there and the packages can be had, else a plain page
#   WITH_WWW=ON    bundle or fail (what CI uses)
#   WITH_WWW=OFF   the plain page
#   WWW_DIST=DIR   a folder bundled elsewhere, for builds without network
# Nothing is written into the source tree: sources are copied to the build folder and built there.
set(WWW_DIST "" CACHE PATH "a bundled dashboard to embed instead of bundling it now")
find_program(NODE_PROGRAM NAMES node nodejs)
find_program(NPM_PROGRAM NAMES npm)

set(www_source ${CMAKE_SOURCE_DIR}/www)
set(www_build ${CMAKE_BINARY_DIR}/www)
file(GLOB www_sources CONFIGURE_DEPENDS ${www_source}/src/* ${www_source}/public/* ${www_source}/*.json
     ${www_source}/*.mjs ${www_source}/fallback.html)

set(www_mode ${WITH_WWW})
if(NOT WITH_WWW MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "WITH_WWW is AUTO, ON or OFF")
elseif(NOT WITH_WWW STREQUAL "OFF" AND NOT WWW_DIST AND (NOT NODE_PROGRAM OR NOT NPM_PROGRAM))
  if(WITH_WWW STREQUAL "ON")
    message(FATAL_ERROR "WITH_WWW=ON needs node and npm (Debian: apt-get install nodejs npm)")
  endif()
  message(STATUS "node or npm is missing: building without the dashboard")
  set(www_mode OFF)
endif()

add_custom_command(
  OUTPUT ${www_build}/assets_data.c
  COMMAND ${CMAKE_COMMAND} -DMODE=${www_mode} -DSOURCE=${www_source} -DBUILD=${www_build}
          -DDIST=${WWW_DIST} -DNODE=${NODE_PROGRAM} -DNPM=${NPM_PROGRAM} -P ${www_source}/bundle.cmake
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${www_build}/dist -DOUTPUT=${www_build}/assets_data.c
          -P ${www_source}/embed.cmake
  DEPENDS ${www_sources} ${www_source}/bundle.cmake ${www_source}/embed.cmake
  COMMENT "Dashboard" VERBATIM)

add_library(www STATIC ${www_source}/assets.c ${www_build}/assets_data.c)
target_include_directories(www PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/proxy)
target_link_libraries(www PUBLIC base)
