# Writes one C file that holds every file of a folder: raw bytes, gzip bytes, media type, entity tags.
#   cmake -DFOLDER=dist -DOUTPUT=assets_data.c -P embed.cmake
# NAME.gz beside NAME is its compressed form. A name with a dash and eight or more capital letters or
# digits before its ending (app-3F2A9C01.js) is a hash of the content, so it may be kept for ever.
cmake_minimum_required(VERSION 3.25)

set(mime_html "text/html; charset=utf-8")
set(mime_js "text/javascript; charset=utf-8")
set(mime_css "text/css; charset=utf-8")
set(mime_svg "image/svg+xml")
set(mime_txt "text/plain; charset=utf-8")
set(mime_json "application/json")

# One byte array; lines of 24 bytes keep the file readable for editors and diff.
function(bytes_array variable name file)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(REPEAT "0x[0-9a-f][0-9a-f]," 24 line)
  string(REGEX REPLACE "(${line})" "\\1\n    " hex "${hex}")
  set(${variable} "static const unsigned char ${name}[] = {\n    ${hex}};\n" PARENT_SCOPE)
endfunction()

function(entity_tag variable file)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 24 hash)
  set(${variable} "\\\"${hash}\\\"" PARENT_SCOPE)
endfunction()

file(GLOB names RELATIVE ${FOLDER} ${FOLDER}/*)
list(FILTER names EXCLUDE REGEX "\\.gz$")
list(SORT names)
if(NOT names)
  message(FATAL_ERROR "no files to embed in ${FOLDER}")
endif()

set(arrays "")
set(rows "")
set(number 0)
foreach(name ${names})
  string(REGEX MATCH "[a-z]+$" ending ${name})
  if(NOT DEFINED mime_${ending})
    message(FATAL_ERROR "no media type for ${name}")
  endif()
  file(SIZE ${FOLDER}/${name} size)
  if(size EQUAL 0)
    message(FATAL_ERROR "${name} is empty")
  endif()
  bytes_array(array raw_${number} ${FOLDER}/${name})
  string(APPEND arrays "${array}")
  entity_tag(etag ${FOLDER}/${name})
  set(gzip "NULL,\n     .gzip_len = 0")
  set(gzip_etag "NULL")
  if(EXISTS ${FOLDER}/${name}.gz)
    bytes_array(array gzip_${number} ${FOLDER}/${name}.gz)
    string(APPEND arrays "${array}")
    set(gzip "gzip_${number},\n     .gzip_len = sizeof(gzip_${number})")
    entity_tag(gzip_etag ${FOLDER}/${name}.gz)
    set(gzip_etag "\"${gzip_etag}\"")
  endif()
  set(immutable false)
  if(name MATCHES "-[A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9]+\\.[a-z]+$")
    set(immutable true)
  endif()
  string(APPEND rows "    {.path = \"/${name}\",
     .mime = \"${mime_${ending}}\",
     .etag = \"${etag}\",
     .raw = raw_${number},
     .raw_len = sizeof(raw_${number}),
     .gzip = ${gzip},
     .immutable = ${immutable},
     .gzip_etag = ${gzip_etag}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUTPUT} "/* Written by www/embed.cmake; do not edit. */
#include \"www/assets_table.h\"

${arrays}
const struct www_asset www_assets[] = {
${rows}};
const size_t www_assets_count = sizeof(www_assets) / sizeof(www_assets[0]);
")
