# Fills BUILD/dist with the files to embed: bundled from SOURCE by node, taken from DIST, or the plain page.
#   cmake -DMODE=AUTO|ON|OFF -DSOURCE=www -DBUILD=build/www -DDIST= -DNODE=node -DNPM=npm -P bundle.cmake
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${BUILD}/dist ${BUILD}/without)
file(MAKE_DIRECTORY ${BUILD}/dist)

function(plain_page)
  configure_file(${SOURCE}/fallback.html ${BUILD}/dist/index.html COPYONLY)
endfunction()

# Packages are installed anew only when the lock file differs from the one installed last.
function(packages_install result)
  set(${result} 0 PARENT_SCOPE)
  file(SHA256 ${SOURCE}/package-lock.json wanted)
  set(installed "")
  if(EXISTS ${BUILD}/stage/installed)
    file(READ ${BUILD}/stage/installed installed)
  endif()
  if(installed STREQUAL wanted)
    return()
  endif()
  execute_process(COMMAND ${NPM} ci --no-audit --no-fund --ignore-scripts --loglevel=error
                          --prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000
                  WORKING_DIRECTORY ${BUILD}/stage RESULT_VARIABLE code OUTPUT_QUIET)
  if(code EQUAL 0)
    file(WRITE ${BUILD}/stage/installed ${wanted})
  endif()
  set(${result} ${code} PARENT_SCOPE)
endfunction()

if(DIST)
  file(GLOB files ${DIST}/*)
  file(COPY ${files} DESTINATION ${BUILD}/dist)
  return()
elseif(MODE STREQUAL "OFF")
  plain_page()
  return()
endif()

file(REMOVE_RECURSE ${BUILD}/stage/src ${BUILD}/stage/public)
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json ${SOURCE}/build.mjs ${SOURCE}/src ${SOURCE}/public
     DESTINATION ${BUILD}/stage)
packages_install(code)
if(code EQUAL 0)
  execute_process(COMMAND ${NODE} build.mjs ${BUILD}/dist WORKING_DIRECTORY ${BUILD}/stage
                  RESULT_VARIABLE code COMMAND_ECHO NONE)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "the dashboard could not be bundled")
  endif()
elseif(MODE STREQUAL "ON")
  message(FATAL_ERROR "npm ci failed; see above")
else()
  message(WARNING "npm ci failed: building without the dashboard (touch www/package.json to try again)")
  plain_page()
  file(WRITE ${BUILD}/without "npm could not get its packages (exit status ${code})\n") # read by conf/quickstart.sh
endif()
